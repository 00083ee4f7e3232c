"""Actions and views for people, used by the command line and a console; nothing here prints."""
