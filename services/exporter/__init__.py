"""Exporter stage."""
