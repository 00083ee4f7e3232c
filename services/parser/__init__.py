"""The parser: reads the content of a mail."""
