"""Parity with what the model server really does: its template, its stop texts, and how many tokens it makes of a prompt.

A server does not show the ids that it feeds a model. It shows the template and parameters that it uses (`/api/show`), and for
every answer how many tokens the prompt had. So each conversation is rendered by the training tokenizer, and

- its ids are held against those of the server's own template, where that is Jinja, split by the GGUF's vocabulary;
- their number is held against the server's count for `/api/chat` with the same messages, and for the finished prompt raw.

What differs is named: a wrong stop token, a double BOS, a swallowed <think>, a dropped system text, or the first token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer
from lorag_converter.parity import CONVERSATIONS, render

CHECKING = "-checking"
"""Ends the name that a release has while it is checked."""
THINK = ("<think>", "</think>")


def check(server: ModelServer, name: str, folder: Path, stop: Sequence[str], system: str = "") -> dict[str, Any]:
    """Hold a published model against the tokenizer in its release folder.

    Args:
        server: where it is published.
        name: under which name.
        folder: the release folder, with model.gguf and the training tokenizer's files.
        stop: texts that end an answer, as the release was made.
        system: the published model's default system text, which the server puts before a conversation without one.

    Returns:
        What was compared, for the certificate. A count that a prompt cache may have reduced is told as unknown.

    Raises:
        LoragError: PARITY_FAILED naming what differs.
    """
    import llama_cpp
    from transformers import AutoTokenizer

    trained = AutoTokenizer.from_pretrained(str(folder))
    if not trained.chat_template:
        return {"compared": 0, "why": "The training tokenizer has no chat template."}
    shown = server.show(name)
    vocabulary = llama_cpp.Llama(str(folder / "model.gguf"), vocab_only=True, verbose=False)
    try:
        found = _Check(server, name, trained, vocabulary, str(shown.template or ""))
        found.stop_texts(stop, str(shown.parameters or ""))
        for what, messages in CONVERSATIONS.items():
            default = [{"role": "system", "content": system}] if system and messages[0]["role"] != "system" else []
            found.conversation(what, [*default, *messages])
    finally:
        vocabulary.close()
    return found.report()


class _Check:
    def __init__(self, server: ModelServer, name: str, trained: Any, vocabulary: Any, template: str) -> None:
        self._server, self._name = server, name
        self._trained, self._vocabulary = trained, vocabulary
        self._jinja = template if "{%" in template else ""
        self._turn_end = _turn_end(trained)
        self._counts: dict[str, int] = {"equal": 0, "unknown": 0}
        self._compared = 0

    def report(self) -> dict[str, Any]:
        """For the certificate."""
        return {
            "compared": self._compared,
            "template": "jinja" if self._jinja else "server's own",
            "counts": self._counts,
        }

    def stop_texts(self, stop: Sequence[str], parameters: str) -> None:
        """An answer must end where its turn ended in training, and at every stop text of the release."""
        wanted = dict.fromkeys([*stop, *([self._turn_end] if self._turn_end else [])])
        ends = {self._trained.decode([self._vocabulary.token_eos()])}
        missing = [s for s in wanted if s not in parameters and s not in ends]
        if missing:
            raise self._failed(
                f"a wrong stop token: an answer ends with {missing[0]!r} in training, and the server stops at "
                f"{', '.join(map(repr, sorted(ends)))} and its parameters: {parameters.strip() or 'none'}"
            )

    def conversation(self, what: str, messages: list[dict[str, str]]) -> None:
        """One conversation, all three ways."""
        text = render(self._trained, messages, None)
        if text is None:
            return
        ids = list(self._trained(text, add_special_tokens=False)["input_ids"])
        if self._jinja:
            served = render(self._trained, messages, self._jinja)
            if served is None:
                raise self._failed(f"the server's template refuses a conversation with {what}, which training took")
            self._compare_ids(what, messages, text, ids, served)
        for way, told in (("raw", self._raw_count(text)), ("chat", self._chat_count(messages))):
            self._compare_count(f"{what}, {way}", ids, told)
        self._compared += 1

    def _compare_ids(self, what: str, messages: list[dict[str, str]], text: str, ids: list[int], served: str) -> None:
        given = list(self._vocabulary.tokenize(served.encode(), add_bos=False, special=True))
        if given == ids:
            return
        first = next((n for n, (a, b) in enumerate(zip(ids, given, strict=False)) if a != b), min(len(ids), len(given)))
        bos = self._vocabulary.token_bos()
        if given[:2] == [bos, bos] and ids[:2] != [bos, bos]:
            raise self._failed(
                f"a double BOS: for {what} the server's prompt begins with {self._word(given[:2])} twice over"
            )
        for tag in THINK:
            if served.count(tag) < text.count(tag):
                raise self._failed(f"a swallowed {THINK[0]}: for {what} the server's template leaves out {tag}")
        if self._turn_end and first < len(ids) and self._trained.decode([ids[first]]) == self._turn_end:
            raise self._failed(
                f"a wrong stop token: for {what} a turn ends with {self._turn_end!r} in training and with "
                f"{self._word(given[first : first + 1])} in the server's template"
            )
        dropped = [m["role"] for m in messages if m["content"].strip() in text and m["content"].strip() not in served]
        if dropped:
            raise self._failed(
                f"a dropped text: for {what} the server's template leaves out what the {dropped[0]} says"
            )
        raise self._failed(
            f"for {what}, token {first} of the prompt is {self._word(ids[first : first + 1])} in training and "
            f"{self._word(given[first : first + 1])} in the server's template"
        )

    def _compare_count(self, what: str, ids: list[int], told: int | None) -> None:
        if told == len(ids):
            self._counts["equal"] += 1
            return
        bos = self._vocabulary.token_bos()
        if told == len(ids) + 1 and ids[:1] == [bos]:
            raise self._failed(
                f"a double BOS: for {what} the server counts {told} tokens where training has {len(ids)}"
            )
        # Fewer may be a prompt cache's doing; where the template was compared id by id, that is all it can be.
        if told is None or (told < len(ids) and (self._jinja or what.endswith("raw"))):
            self._counts["unknown"] += 1
            return
        think = f" (a swallowed {THINK[0]}?)" if told < len(ids) and "reasoning" in what else ""
        raise self._failed(f"for {what} the server makes {told} tokens of a prompt of {len(ids)}{think}")

    def _raw_count(self, text: str) -> int | None:
        return self._server.generate(self._name, text, raw=True, num_predict=1, temperature=0).prompt_eval_count

    def _chat_count(self, messages: list[dict[str, str]]) -> int | None:
        return self._server.chat(self._name, messages, num_predict=1, temperature=0).prompt_eval_count

    def _word(self, ids: list[int]) -> str:
        return repr(self._trained.decode(ids)) if ids else "nothing"

    def _failed(self, what: str) -> LoragError:
        return LoragError(
            Reason.PARITY_FAILED, f"'{self._name.removesuffix(CHECKING)}' is not served as it was trained: {what}."
        )


def _turn_end(trained: Any) -> str:
    """The special token that ends an assistant's turn in training; empty when the template sets none."""
    said = "zzz"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": said}]
    text = str(trained.apply_chat_template(messages, tokenize=False))
    after = text.rpartition(said)[2]
    ids = trained(after, add_special_tokens=False)["input_ids"]
    token = str(trained.decode(ids[:1])) if ids else ""
    return token if token in trained.all_special_tokens or token in trained.get_added_vocab() else ""
