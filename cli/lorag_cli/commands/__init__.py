"""The commands, a file an area. `main` adds each area's `app` to the `lorag` command."""
