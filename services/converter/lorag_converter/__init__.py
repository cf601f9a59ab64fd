"""Base model + LoRA adapter -> GGUF -> release -> model server."""
