"""Commands in a mail: how they are written, whom they are allowed to, and what each does. Pure."""
