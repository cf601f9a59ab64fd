"""Lines of a dataset -> examples: a prompt of messages and the answer that is to be learned.

Three forms are read, one a file: chat (`messages`), alpaca (`instruction`, `input`, `output`) and prompt-completion
(`prompt`, `completion`). Every complaint names its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lorag_common.errors import LoragError, Reason

Message = dict[str, str]
"""`role` (system, user or assistant) and `content`."""

CHAT, ALPACA, PROMPT_COMPLETION = "chat", "alpaca", "prompt-completion"
REQUIRED = {CHAT: ("messages",), ALPACA: ("instruction", "output"), PROMPT_COMPLETION: ("prompt", "completion")}
MAX_LINE_BYTES = 16 << 20


@dataclass(frozen=True)
class Example:
    """One conversation of the dataset.

    Attributes:
        line: where it stands in the file, from 1.
        messages: the whole conversation; the last is the assistant's.
    """

    line: int
    messages: tuple[Message, ...]

    def turns(self) -> Iterator[dict[str, list[Message]]]:
        """One `{"prompt": [...], "completion": [...]}`, TRL's form, for each answer of the assistant.

        Answers before the last are learned too, each after exactly the conversation that led to it.
        """
        for i, message in enumerate(self.messages):
            if message["role"] == "assistant":
                yield {"prompt": list(self.messages[:i]), "completion": [message]}


def malformed(line: int, problem: str) -> LoragError:
    """DATASET_MALFORMED that names the line."""
    return LoragError(Reason.DATASET_MALFORMED, f"Line {line}: {problem}", field="dataset")


def read_examples(lines: Iterable[bytes]) -> Iterator[tuple[str, Example]]:
    """Form and example of every line that is not blank; the first one decides the form of the file.

    Raises:
        LoragError: DATASET_MALFORMED with the line number; DATASET_EMPTY when there is no example.
    """
    form = ""
    for number, raw in enumerate(lines, start=1):
        if len(raw) > MAX_LINE_BYTES:
            raise malformed(number, f"it is longer than {MAX_LINE_BYTES >> 20} MiB.")
        record = _parse(raw, number)
        if record is None:
            continue
        form = form or _form_of(record, number)
        yield form, Example(number, tuple(_messages(record, form, number)))
    if not form:
        raise LoragError(Reason.DATASET_EMPTY, "The file has no example in it.", field="dataset")


def _parse(raw: bytes, number: int) -> dict[str, Any] | None:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise malformed(number, f"not UTF-8 (byte {error.start + 1} of the line).") from error
    if not text:
        return None
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise malformed(number, f"not JSON ({error}). Each line must be one JSON object.") from error
    if not isinstance(record, dict):
        raise malformed(number, f"a JSON object is expected, not {type(record).__name__}.")
    return record


def _form_of(record: dict[str, Any], number: int) -> str:
    for form, keys in REQUIRED.items():
        if all(key in record for key in keys):
            return form
    known = "; ".join(f"{form}: {', '.join(keys)}" for form, keys in REQUIRED.items())
    found = ", ".join(sorted(map(str, record))) or "none"
    raise malformed(number, f"the form is not known by its keys ({found}). Known forms and their keys are {known}.")


def _messages(record: dict[str, Any], form: str, number: int) -> list[Message]:
    if missing := [key for key in REQUIRED[form] if key not in record]:
        raise malformed(number, f"'{missing[0]}' is missing; the file's first example is of the form {form}.")
    if form == CHAT:
        return _chat(record["messages"], number)
    if form == ALPACA:
        instruction = _text(record["instruction"], "instruction", number)
        context = _text(record.get("input") or "", "input", number, may_be_empty=True)
        user = f"{instruction}\n\n{context}" if context.strip() else instruction
        answer = _text(record["output"], "output", number)
    else:
        user, answer = (_text(record[key], key, number) for key in REQUIRED[form])
    return [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]


def _chat(value: Any, number: int) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise malformed(number, "'messages' must be a list of messages that is not empty.")
    out: list[Message] = []
    for i, item in enumerate(value):
        where = f"messages[{i}]"
        if not isinstance(item, dict) or "role" not in item or "content" not in item:
            raise malformed(number, f"{where} must be an object with 'role' and 'content'.")
        role = item["role"]
        expected = _expected_roles(out)
        if role not in expected:
            raise malformed(number, f"{where} has the role {role!r}; {' or '.join(expected)} is expected there.")
        out.append({"role": role, "content": _text(item["content"], f"{where}.content", number, role == "system")})
    if out[-1]["role"] != "assistant":
        raise malformed(number, "the last message must be the assistant's; it is what is learned.")
    return out


def _expected_roles(before: list[Message]) -> tuple[str, ...]:
    if not before:
        return ("system", "user")
    return ("assistant",) if before[-1]["role"] == "user" else ("user",)


def _text(value: Any, name: str, number: int, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise malformed(number, f"'{name}' must be a text, not {type(value).__name__}.")
    if not value.strip() and not may_be_empty:
        raise malformed(number, f"'{name}' is empty.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise malformed(number, f"'{name}' holds half of a surrogate pair, which is no character.") from error
    return value
