"""Figures of a process for Prometheus, its health, and traces; nothing of it is imported unless it is asked for."""
