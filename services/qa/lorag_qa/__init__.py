"""Question -> answer with citations, and which release answers."""
