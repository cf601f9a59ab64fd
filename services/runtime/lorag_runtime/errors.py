"""Errors in Ollama's shape: an HTTP status and one line."""

from __future__ import annotations


class ApiError(Exception):
    """Becomes `{"error": message}` with this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def model_missing(name: str) -> ApiError:
    """What Ollama says of an unknown model."""
    return ApiError(404, f"model '{name}' not found")
