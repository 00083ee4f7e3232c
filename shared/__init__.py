"""What all stages use: contracts, runtime, store, configuration."""
