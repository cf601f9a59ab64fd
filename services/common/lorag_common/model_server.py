"""The model server, through the `ollama` client: Ollama itself, or the embedded runtime that speaks its API.

Both classes give the client's own replies and turn its errors into the one error table.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import httpx
import ollama
import pydantic

from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason

CONNECT_SECONDS = 3.0
_NO_MEMORY = re.compile(
    r"out of memory|more system memory|insufficient memory|cudaMalloc|failed to allocate", re.IGNORECASE
)
Vectors: TypeAlias = list[list[float]]
"""One row a text, each of the model's dimension."""
# Reading has no limit: the first token of a 32B model on a busy CPU may take minutes.
TIMEOUT = httpx.Timeout(None, connect=CONNECT_SECONDS)


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates, read once: a client is made for every answer, and reading them takes 60 ms."""
    return httpx.create_ssl_context()


@dataclass(frozen=True)
class EmbeddingFacts:
    """What a model says of itself as an embedder.

    Attributes:
        context: tokens it can take in at once; 0 when unknown.
        pooling: how its token vectors become one; empty when it does not say.
        digest: of its content; empty when the server's list has it.
    """

    context: int = 0
    pooling: str = ""
    digest: str = ""


# llama.cpp's numbers in `<architecture>.pooling_type`.
_POOLINGS = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Raise what the client raises as a LoragError."""
    try:
        yield
    except ollama.ResponseError as error:
        _raise(url, error)
    except pydantic.ValidationError as error:
        raise LoragError(
            Reason.MODEL_SERVER_FAILED, f"The server at {url} does not speak Ollama's API: {error.title}."
        ) from error
    except (ConnectionError, httpx.TransportError) as error:
        raise LoragError(
            Reason.MODEL_SERVER_UNAVAILABLE,
            f"The model server at {url} is not running or broke off: {type(error).__name__}.",
        ) from error


def _raise(url: str, error: ollama.ResponseError) -> NoReturn:
    if _NO_MEMORY.search(error.error):
        raise LoragError(
            Reason.OUT_OF_MEMORY,
            f"The model does not fit the memory of the model server at {url}: {error.error}",
            remedy="End other programs on its machine, choose a smaller quantization, or lower num_ctx.",
        ) from error
    # A name that no model can have is one that no model has.
    if error.status_code == httpx.codes.NOT_FOUND or "invalid model name" in error.error:
        raise LoragError(Reason.MODEL_NOT_FOUND, f"The model server at {url} says: {error.error}") from error
    raise LoragError(Reason.MODEL_SERVER_FAILED, f"The model server at {url} says: {error.error}") from error


class ModelServer:
    """Blocking calls, for jobs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = ollama.Client(host=url, timeout=TIMEOUT, verify=_trust())

    def reachable(self) -> bool:
        """Whether something that speaks Ollama's API answers."""
        try:
            return bool(self.version())
        except LoragError:
            return False

    def version(self) -> str:
        """The server's version."""
        try:
            response = httpx.get(f"{self.url.rstrip('/')}/api/version", timeout=CONNECT_SECONDS)
            return str(response.raise_for_status().json()["version"])
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise LoragError(
                Reason.MODEL_SERVER_UNAVAILABLE, f"No model server answers at {self.url}: {type(error).__name__}."
            ) from error

    def list(self) -> dict[str, str]:
        """Name -> digest of every model there."""
        with _translated(self.url):
            return {str(m.model): str(m.digest) for m in self._client.list().models}

    def loaded(self) -> Sequence[str]:
        """Names of the models that are in memory now."""
        with _translated(self.url):
            return [str(m.model) for m in self._client.ps().models]

    def load(self, model: str) -> None:
        """Bring a model into memory. MODEL_NOT_FOUND."""
        with _translated(self.url):
            self._client.generate(model)

    def unload(self, model: str) -> None:
        """Take a model out of memory. MODEL_NOT_FOUND."""
        with _translated(self.url):
            self._client.generate(model, keep_alive=0)

    def sizes(self) -> dict[str, tuple[str, int]]:
        """Name -> digest and bytes of every model there."""
        with _translated(self.url):
            return {str(m.model): (str(m.digest), int(m.size or 0)) for m in self._client.list().models}

    def show(self, model: str) -> ollama.ShowResponse:
        """What the server knows of a model. MODEL_NOT_FOUND."""
        with _translated(self.url):
            return self._client.show(model)

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], **options: Any) -> ollama.ChatResponse:
        """One answer, whole."""
        with _translated(self.url):
            return self._client.chat(model, messages, options=options)

    def generate(self, model: str, prompt: str, *, raw: bool = False, **options: Any) -> ollama.GenerateResponse:
        """One completion, whole; `raw` sends the prompt past the server's template."""
        with _translated(self.url):
            return self._client.generate(model, prompt, raw=raw, options=options)

    def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """One vector a text, each of the model's dimension. A text beyond the context is an error, never cut."""
        with _translated(self.url):
            return [list(v) for v in self._client.embed(model, list(texts), truncate=False).embeddings]

    def embedding_facts(self, model: str) -> EmbeddingFacts:
        """Context and pooling, as far as the server tells them. MODEL_NOT_FOUND."""
        facts = self.show(model).modelinfo or {}
        architecture = facts.get("general.architecture", "")
        pooling = facts.get(f"{architecture}.pooling_type")
        return EmbeddingFacts(
            int(facts.get(f"{architecture}.context_length") or 0),
            _POOLINGS.get(pooling, "") if pooling is not None else "",
        )

    def count_tokens(self, model: str, text: str) -> int:
        """Tokens that the model makes of a text; 0 when the server does not say."""
        with _translated(self.url):
            return int(self._client.embed(model, [text], truncate=False).prompt_eval_count or 0)

    def create_from_gguf(
        self,
        name: str,
        gguf: Path,
        *,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        system: str | None = None,
        license: str | None = None,
        sha256: str | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Import a GGUF as `name`: its blob by digest (skipped when the server has it), then the model.

        Args:
            name: e.g. `my-model:v1`.
            gguf: the file.
            template: the server's own template language; None lets it use the GGUF's.
            parameters: e.g. stop, temperature, num_ctx.
            system: default system text.
            license: licence text.
            sha256: of the file, when known; saves reading it once more.
            progress: told each status line.
        """
        hashed = sha256 or sha256_file(gguf)
        digest = f"sha256:{hashed}"
        with _translated(self.url):
            if not self.has_blob(hashed):
                with gguf.open("rb") as content:
                    response = httpx.post(
                        f"{self.url.rstrip('/')}/api/blobs/{digest}", content=content, timeout=TIMEOUT
                    )
                if response.is_error:
                    raise ollama.ResponseError(response.text, response.status_code)
            statuses = self._client.create(
                name,
                files={gguf.name: digest},
                template=template,
                parameters=dict(parameters or {}),
                system=system,
                license=license,
                stream=True,
            )
            for status in statuses:
                if progress and status.status:
                    progress(status.status)

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name. MODEL_NOT_FOUND."""
        with _translated(self.url):
            self._client.copy(source, destination)

    def delete(self, model: str) -> None:
        """Remove a name. MODEL_NOT_FOUND."""
        with _translated(self.url):
            self._client.delete(model)

    def has_blob(self, sha256: str) -> bool:
        """Whether the server has the bytes of this sha256."""
        with _translated(self.url):
            answer = httpx.head(f"{self.url.rstrip('/')}/api/blobs/sha256:{sha256}", timeout=TIMEOUT)
        return answer.status_code == httpx.codes.OK


class AsyncModelServer:
    """Streaming calls, for answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = ollama.AsyncClient(host=url, timeout=TIMEOUT, verify=_trust())

    async def show(self, model: str) -> ollama.ShowResponse:
        """What the server knows of a model. MODEL_NOT_FOUND."""
        with _translated(self.url):
            return await self._client.show(model)

    async def copy(self, source: str, destination: str) -> None:
        """Give a model a second name. MODEL_NOT_FOUND."""
        with _translated(self.url):
            await self._client.copy(source, destination)

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """One vector a text. A text beyond the context is an error, never cut."""
        with _translated(self.url):
            return [list(v) for v in (await self._client.embed(model, list(texts), truncate=False)).embeddings]

    async def context_of(self, model: str) -> int | None:
        """Tokens of context that the loaded model really has; None when it is not loaded or the server does not say."""
        with _translated(self.url):
            running = (await self._client.ps()).models
        return next((m.context_length for m in running if model in (m.model, m.name)), None)

    async def generate(
        self, model: str, prompt: str, *, raw: bool = False, **options: Any
    ) -> AsyncGenerator[ollama.GenerateResponse]:
        """Stream a completion; the last piece has `done` and the counts. Closing the iterator stops the generation."""
        with _translated(self.url):
            stream: Any = await self._client.generate(model, prompt, raw=raw, options=options, stream=True)
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    yield piece

    async def chat(
        self, model: str, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> AsyncGenerator[ollama.ChatResponse]:
        """Stream an answer; the last piece has `done` and the counts. Closing the iterator stops the generation."""
        with _translated(self.url):
            stream: Any = await self._client.chat(model, messages, options=options, stream=True)
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    yield piece
