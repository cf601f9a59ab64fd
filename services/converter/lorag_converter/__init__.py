"""The converter: base model + LoRA adapter -> quantized GGUF -> release -> model server."""
