"""The dead-letter stage."""
