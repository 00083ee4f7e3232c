"""The command line: one module for each noun, each imported when it is called."""
