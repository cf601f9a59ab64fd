"""Measurements; each prints one line of JSON last."""
