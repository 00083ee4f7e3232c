"""The parser: what a mail says."""
