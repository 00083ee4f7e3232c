"""Figures of a process for Prometheus, and its health; nothing of it is imported unless a port is asked for."""
