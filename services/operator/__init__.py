"""What people do and see, for the command line and a console alike; nothing here prints."""
