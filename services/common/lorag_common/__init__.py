"""What every LoRAG service shares. One concern a module: errors, settings, artifacts, jobs, serve ..."""
