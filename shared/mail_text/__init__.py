"""The words of mails that the desk sends of its own accord: built-in texts, templates, how they are filled in."""
