"""Who may do what at the edge: keys, sessions, scopes, limits, and the audit log."""
