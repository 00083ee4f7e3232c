"""Fetcher: takes mail out of mailboxes and hands it to intake."""
