"""Request bodies, a file an area."""
