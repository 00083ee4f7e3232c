"""Mails, dead letters and outgoing mail as people see them, and what people do with them, one or many at once."""
