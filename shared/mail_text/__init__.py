"""The words of mails that the desk sends by itself: built-in texts, templates, how they are filled in."""
