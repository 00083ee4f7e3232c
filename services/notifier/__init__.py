"""The notifier: sends outgoing mail."""
