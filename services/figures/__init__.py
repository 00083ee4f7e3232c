"""Figures of a process for Prometheus, its health, and traces; imported only when they are switched on."""
