"""What every stage stands on: contracts, runtime, store, configuration."""
