"""The stages, the sources and the command line."""
