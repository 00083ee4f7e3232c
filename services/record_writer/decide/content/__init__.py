"""What of the text and the files of a mail goes on a record. Pure."""
