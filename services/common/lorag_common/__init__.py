"""What every LoRAG service shares. Each module is one room: errors, settings, log, artifacts, jobs, serve, prompts ..."""
