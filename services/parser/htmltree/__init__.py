"""Predicts the size of the tree that a library would build from HTML, so that oversized HTML is never built."""
