"""What HTML would grow to when a library builds its tree: foretold from its tags, so that it can be left alone."""
