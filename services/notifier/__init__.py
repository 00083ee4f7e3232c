"""The notifier: mail that leaves."""
