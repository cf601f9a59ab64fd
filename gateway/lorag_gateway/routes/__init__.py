"""The HTTP API: a file for each resource's service."""
