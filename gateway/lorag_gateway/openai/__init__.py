"""The part of OpenAI's API that a client needs to talk to LoRAG: models, chat completions, embeddings."""
