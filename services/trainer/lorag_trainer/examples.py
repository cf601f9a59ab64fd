"""Records of a dataset -> examples: conversations whose answers are learned, or plain text that is learned whole.

Five forms are read, one a file: chat (`messages`), sharegpt (`conversations`), alpaca (`instruction`, `input`, `output`),
prompt-completion (`prompt`, `completion`) and text (`text`). The first record of a known form decides; a record that
does not follow is refused, with its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.files import Record, Refused

Message = dict[str, str]
"""`role` (system, user or assistant) and `content`."""

CHAT, SHAREGPT, ALPACA, PROMPT_COMPLETION, TEXT = "chat", "sharegpt", "alpaca", "prompt-completion", "text"
REQUIRED = {
    CHAT: ("messages",),
    SHAREGPT: ("conversations",),
    ALPACA: ("instruction", "output"),
    PROMPT_COMPLETION: ("prompt", "completion"),
    TEXT: ("text",),
}
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
"""ShareGPT's names of who speaks."""


class _Bad(Exception):
    """What is wrong with a record, for a person."""


@dataclass(frozen=True)
class Example:
    """One example of the dataset.

    Attributes:
        line: where it stands in the file, from 1.
        messages: the whole conversation; the last is the assistant's. Empty for plain text.
        text: plain text, learned whole; empty for a conversation.
    """

    line: int
    messages: tuple[Message, ...] = ()
    text: str = ""

    def turns(self) -> Iterator[dict[str, list[Message]]]:
        """One `{"prompt": [...], "completion": [...]}`, TRL's form, for each answer of the assistant.

        Answers before the last are learned too, each after exactly the conversation that led to it.
        """
        for i, message in enumerate(self.messages):
            if message["role"] == "assistant":
                yield {"prompt": list(self.messages[:i]), "completion": [message]}

    def as_dict(self) -> dict[str, Any]:
        """The example as one line of `heldout.jsonl`."""
        return {"text": self.text} if self.text else {"messages": list(self.messages)}

    @property
    def bytes(self) -> int:
        """Of its texts, in UTF-8: at least as many as it has tokens, the template's left out."""
        return len(self.text.encode()) + sum(len(m["content"].encode()) for m in self.messages)


def read_examples(records: Iterable[Record | Refused]) -> Iterator[tuple[str, Example] | Refused]:
    """Form and example of every record, or why it is refused."""
    form = ""
    for record in records:
        if isinstance(record, Refused):
            yield record
            continue
        value = record.value if isinstance(record.value, dict) else {"text": record.value}
        try:
            form = form or _form_of(value)
            yield form, _example(record.line, value, form)
        except _Bad as bad:
            yield Refused(record.line, str(bad))


def refused_error(count: int, refused: Iterable[Refused], remedy: str | None = None) -> LoragError:
    """DATASET_MALFORMED that names the first lines."""
    named = " ".join(f"Line {r.line}: {r.problem}" for r in refused)
    message = f"{count} line(s) of the dataset cannot be read. {named}"
    return LoragError(Reason.DATASET_MALFORMED, message, remedy=remedy, field="dataset")


def _form_of(record: dict[str, Any]) -> str:
    for form, keys in REQUIRED.items():
        if all(key in record for key in keys):
            return form
    known = "; ".join(f"{form}: {', '.join(keys)}" for form, keys in REQUIRED.items())
    found = ", ".join(sorted(map(str, record))) or "none"
    raise _Bad(f"the form is not known by its keys ({found}). Known forms and their keys are {known}.")


def _example(line: int, record: dict[str, Any], form: str) -> Example:
    if missing := [key for key in REQUIRED[form] if key not in record]:
        raise _Bad(f"'{missing[0]}' is missing; the file's first example is of the form {form}.")
    if form == TEXT:
        return Example(line, text=_text(record["text"], "text"))
    if form == CHAT:
        return Example(line, tuple(_chat(record["messages"], "messages", "role", "content")))
    if form == SHAREGPT:
        return Example(line, tuple(_chat(record["conversations"], "conversations", "from", "value")))
    if form == ALPACA:
        instruction = _text(record["instruction"], "instruction")
        context = _text(record.get("input") or "", "input", may_be_empty=True)
        user = f"{instruction}\n\n{context}" if context.strip() else instruction
        answer = _text(record["output"], "output")
    else:
        user, answer = (_text(record[key], key) for key in REQUIRED[form])
    return Example(line, ({"role": "user", "content": user}, {"role": "assistant", "content": answer}))


def _chat(value: Any, name: str, who: str, what: str) -> list[Message]:
    if isinstance(value, str):
        # A table has no lists: a conversation stands in its cell as JSON.
        try:
            value = json.loads(value)
        except ValueError as error:
            raise _Bad(f"'{name}' is a text and not JSON ({error}).") from error
    if not isinstance(value, list) or not value:
        raise _Bad(f"'{name}' must be a list of messages that is not empty.")
    out: list[Message] = []
    for i, item in enumerate(value):
        where = f"{name}[{i}]"
        if not isinstance(item, dict) or who not in item or what not in item:
            raise _Bad(f"{where} must be an object with '{who}' and '{what}'.")
        role = SPEAKERS.get(str(item[who]), str(item[who])) if who == "from" else item[who]
        expected = _expected_roles(out)
        if role not in expected:
            raise _Bad(f"{where} has the role {item[who]!r}; {' or '.join(expected)} is expected there.")
        out.append({"role": role, "content": _text(item[what], f"{where}.{what}", role == "system")})
    if out[-1]["role"] != "assistant":
        raise _Bad("the last message must be the assistant's; it is what is learned.")
    return out


def _expected_roles(before: list[Message]) -> tuple[str, ...]:
    if not before:
        return ("system", "user")
    return ("assistant",) if before[-1]["role"] == "user" else ("user",)


def _text(value: Any, name: str, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise _Bad(f"'{name}' must be a text, not {type(value).__name__}.")
    if not value.strip() and not may_be_empty:
        raise _Bad(f"'{name}' is empty.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _Bad(f"'{name}' holds half of a surrogate pair, which is no character.") from error
    return value
