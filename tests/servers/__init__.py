"""Real servers and a fault-injecting proxy that tests start for themselves, on private ports."""
