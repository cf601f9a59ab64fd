"""One loaded model: prompt in, pieces of text out; texts in, vectors out."""

from __future__ import annotations

import asyncio
import codecs
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.parser
import jinja2.sandbox
import llama_cpp

from lorag_runtime.errors import ApiError
from lorag_runtime.gguf_info import context_length, has_own_pooling


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens; the defaults are Ollama's. `num_predict` below 0 means: as far as the context goes."""

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    repeat_penalty: float = 1.1
    seed: int | None = None
    num_predict: int = -1
    stop: tuple[str, ...] = ()


@dataclass
class Counts:
    """What one call took: tokens, and nanoseconds."""

    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    done_reason: str = "stop"


@dataclass
class Generation:
    """A prepared call: its prompt's tokens and, while it runs, its counts."""

    tokens: list[int]
    sampling: Sampling
    counts: Counts = field(default_factory=Counts)
    cancelled: threading.Event = field(default_factory=threading.Event)


class Engine:
    """A model in memory. `lock` is held by whoever computes with it; `turn` is waited for before that, for generations.

    Args:
        path: the GGUF.
        metadata: its metadata.
        num_ctx: context in tokens.
        threads: CPU threads.
        embedding: load it for vectors instead of text.
    """

    def __init__(self, path: Path, metadata: dict[str, Any], num_ctx: int, threads: int, embedding: bool) -> None:
        trained = context_length(metadata)
        self.num_ctx = min(num_ctx, trained) if trained else num_ctx
        self.embedding = embedding
        self.lock = threading.Lock()
        # A generation holds the lock over many short visits to a thread. Who waited for it in a thread would keep that from
        # the one who holds it: enough of them, and nobody would go on.
        self.turn = asyncio.Lock()
        self._template = metadata.get("tokenizer.chat_template")
        pooling = llama_cpp.LLAMA_POOLING_TYPE_UNSPECIFIED
        if embedding and not has_own_pooling(metadata):
            # A decoder's default is one vector a token.
            pooling = llama_cpp.LLAMA_POOLING_TYPE_MEAN
        # Embedding takes a whole text in one batch.
        batch = self.num_ctx if embedding else min(512, self.num_ctx)
        self._llama = llama_cpp.Llama(
            str(path),
            n_ctx=self.num_ctx,
            n_batch=batch,
            n_ubatch=batch,
            n_threads=threads,
            n_threads_batch=threads,
            embedding=embedding,
            pooling_type=pooling,
            verbose=False,
        )
        self._vocab = llama_cpp.llama_model_get_vocab(self._llama.model)

    def close(self) -> None:
        """Free the memory, once no call uses it."""
        with self.lock:
            self._llama.close()

    @property
    def has_template(self) -> bool:
        """Whether the GGUF carries a chat template."""
        return bool(self._template)

    def render(self, messages: list[dict[str, Any]]) -> str:
        """The prompt of a conversation, by the GGUF's own Jinja template. ApiError 400 when it has none or refuses."""
        if not self._template:
            raise ApiError(400, "this model has no chat template; use /api/generate with raw")
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", GenerationTag]
        )
        environment.globals["raise_exception"] = _refuse
        try:
            return environment.from_string(self._template).render(
                messages=messages,
                add_generation_prompt=True,
                bos_token=self._text(llama_cpp.llama_vocab_bos(self._vocab)),
                eos_token=self._text(llama_cpp.llama_vocab_eos(self._vocab)),
            )
        except jinja2.TemplateError as error:
            raise ApiError(400, f"the model's chat template refused the messages: {error}") from error

    def prepare(self, prompt: str, sampling: Sampling) -> Generation:
        """Tokenize a finished prompt. ApiError 400 when it leaves no room in the context: nothing is cut."""
        bos = self._text(llama_cpp.llama_vocab_bos(self._vocab))
        add_bos = llama_cpp.llama_vocab_get_add_bos(self._vocab) and not (bos and prompt.startswith(bos))
        tokens = self._llama.tokenize(prompt.encode(), add_bos=bool(add_bos), special=True)
        if not tokens:
            raise ApiError(400, "the prompt is empty")
        if len(tokens) >= self.num_ctx:
            raise ApiError(
                400, f"the prompt has {len(tokens)} tokens and num_ctx is {self.num_ctx}; shorten it or raise num_ctx"
            )
        return Generation(tokens, sampling)

    def generate(self, call: Generation) -> Generator[str, None, None]:
        """Pieces of the answer, whole characters each, without stop strings; fills `call.counts`."""
        counts, sampling = call.counts, call.sampling
        room = self.num_ctx - len(call.tokens)
        limit = room if sampling.num_predict < 0 else min(room, sampling.num_predict)
        text = _Text(sampling.stop)
        with self.lock:
            started = time.perf_counter_ns()
            first = 0
            self._llama.reset()
            if sampling.seed is not None:
                self._llama.set_seed(sampling.seed)
            counts.prompt_eval_count = len(call.tokens)
            counts.done_reason = "length"
            stream = self._llama.generate(
                call.tokens,
                temp=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
                min_p=sampling.min_p,
                repeat_penalty=sampling.repeat_penalty,
            )
            try:
                while counts.eval_count < limit and not call.cancelled.is_set():
                    token = next(stream)
                    first = first or time.perf_counter_ns()
                    if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                        counts.done_reason = "stop"
                        break
                    counts.eval_count += 1
                    if piece := text.add(self._llama.detokenize([token], special=False)):
                        if call.cancelled.is_set():
                            break
                        yield piece
                    if text.stopped:
                        counts.done_reason = "stop"
                        break
                if rest := text.finish():
                    yield rest
            finally:
                stream.close()
                ended = time.perf_counter_ns()
                counts.prompt_eval_duration = (first or ended) - started
                counts.eval_duration = ended - (first or ended)

    def embed(self, texts: list[str]) -> tuple[list[list[float]], int]:
        """L2-normalised vectors, one a text, and the tokens in all. ApiError 400 for a text beyond the context."""
        with self.lock:
            for text in texts:
                count = len(self._llama.tokenize(text.encode(), add_bos=True, special=False))
                if count > self.num_ctx:
                    raise ApiError(400, f"a text has {count} tokens and the context is {self.num_ctx}; shorten it")
                if not count:
                    raise ApiError(400, "cannot embed an empty text")
            vectors, total = self._llama.embed(texts, normalize=True, return_count=True)
        return [list(map(float, v)) for v in vectors], int(total)

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(llama_cpp.llama_vocab_get_text(self._vocab, token).decode(errors="replace"))


class _Text:
    """Turns bytes of tokens into text that may be shown: whole characters, and never the beginning of a stop string."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = [s for s in stop if s]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def add(self, raw: bytes) -> str:
        self._held += self._decoder.decode(raw)
        found = [i for s in self._stop if (i := self._held.find(s)) >= 0]
        if found:
            self.stopped = True
            out, self._held = self._held[: min(found)], ""
            return out
        keep = max((_overlap(self._held, s) for s in self._stop), default=0)
        out, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return out

    def finish(self) -> str:
        out = "" if self.stopped else self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return out


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


class GenerationTag(jinja2.ext.Extension):
    """`{% generation %}`: marks for training what the assistant says; nothing to do when serving."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> Any:
        """Keep the body, drop the marks."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
