"""Record writer: the only stage that changes records."""
