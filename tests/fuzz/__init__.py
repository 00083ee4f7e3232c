"""Fuzz targets: programs that feed a module broken input until it breaks. See docs/parsing.md."""
