"""Sender matcher: finds the person who sent a mail."""
