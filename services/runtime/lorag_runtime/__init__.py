"""The embedded model server: the part of Ollama's HTTP API that the project uses, over llama-cpp-python."""
