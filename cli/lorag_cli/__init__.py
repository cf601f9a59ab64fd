"""The `lorag` command: a client of the gateway, plus `up` (all services on this machine) and `demo`."""
