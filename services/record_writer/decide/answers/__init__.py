"""Mail that a decision sends to people: answers, acknowledgements, and their limits. Pure."""
