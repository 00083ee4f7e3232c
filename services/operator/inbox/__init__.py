"""Inboxes and mail servers as people see them: states, guides, tests, and credentials that end."""
