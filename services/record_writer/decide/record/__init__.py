"""What a mail changes on its record: a new one, an update, values, numbers, tasks and the status. Pure."""
