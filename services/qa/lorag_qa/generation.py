"""One generation: the prompt to the model server, thinking and text back, with retries where they are safe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_common.log import get_logger
from lorag_common.model_server import AsyncModelServer
from lorag_qa.prompt import Prompt
from lorag_qa.releases import Release
from lorag_qa.thinking import OPEN, Splitter, Thinking, opened_by

log = get_logger(__name__)
# Until the first piece nothing has been shown, so asking again is safe: a server that restarts, or a model being replaced.
RETRY_SECONDS = (0.3, 1.0)
RETRIED = (Reason.MODEL_SERVER_UNAVAILABLE, Reason.MODEL_SERVER_FAILED)


class Generation:
    """Streams one answer; afterwards it knows the server's counts.

    Args:
        server: the model server.
        model: name on it.
        release: set when the model is one of ours: then the finished prompt is sent raw.
        prompt: what to send.
    """

    def __init__(self, server: AsyncModelServer, model: str, release: Release | None, prompt: Prompt) -> None:
        self.server, self.model = server, model
        self._stop = list(release.stop) if release is not None and prompt.exact else []
        self._prompt = prompt
        self._last: Any = None

    @property
    def prompt_eval_count(self) -> int | None:
        """Tokens of the prompt by the server's count, None when it did not say."""
        return int(self._last.prompt_eval_count) if self._last and self._last.prompt_eval_count else None

    @property
    def eval_count(self) -> int:
        """Tokens of the answer by the server's count."""
        return int(self._last.eval_count or 0) if self._last else 0

    @property
    def finish_reason(self) -> str:
        """stop or length."""
        return str(self._last.done_reason or "stop") if self._last else ""

    async def stream(self, options: dict[str, Any]) -> AsyncGenerator[Thinking | str]:
        """Pieces of thinking and text. LoragError as `AsyncModelServer`; MODEL_SERVER_FAILED when the end is missing."""
        for pause in (*RETRY_SECONDS, None):
            begun = False
            try:
                async with aclosing(self._once(options)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except LoragError as error:
                if begun or pause is None or error.reason not in RETRIED:
                    raise
                log.warning("asking the model server again", reason=str(error.reason), message=error.message)
                await asyncio.sleep(pause)

    async def _once(self, options: dict[str, Any]) -> AsyncGenerator[Thinking | str]:
        splitter = Splitter(
            opened=self._prompt.exact and opened_by(self._prompt.text),
            undecided=not self._prompt.exact and await self._template_thinks(),
        )
        self._last = None
        async with aclosing(self._replies(options)) as replies:
            async for reply, thinking, text in replies:
                self._last = reply
                if thinking:
                    yield Thinking(thinking)
                for piece in splitter.add(text):
                    yield piece
        for piece in splitter.finish():
            yield piece
        if self._last is None or not self._last.done:
            raise LoragError(Reason.MODEL_SERVER_FAILED, "The model server broke the answer off before its end.")

    async def _replies(self, options: dict[str, Any]) -> AsyncGenerator[tuple[Any, str, str]]:
        """The server's replies, each with its thinking and its text."""
        if self._prompt.exact:
            raw = self.server.generate(self.model, self._prompt.text, raw=True, stop=self._stop, **options)
            async with aclosing(raw) as completions:
                async for part in completions:
                    yield part, part.thinking or "", part.response or ""
            return
        chat = self.server.chat(self.model, self._prompt.messages, **options)
        async with aclosing(chat) as replies:
            async for reply in replies:
                yield reply, reply.message.thinking or "", reply.message.content or ""

    async def _template_thinks(self) -> bool:
        """Whether the server's own template knows thinking: it may open it where we cannot see it."""
        return OPEN in str((await self.server.show(self.model)).template or "")
