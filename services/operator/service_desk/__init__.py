"""Records, people and reports as people see them, and edits made by an operator."""
