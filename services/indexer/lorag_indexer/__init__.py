"""PDF -> pages -> chunks -> index, and hybrid search in it."""
