"""Events between stages, stored decisions, errors, and their plain form."""
