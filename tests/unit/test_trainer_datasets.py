"""Datasets: what is read, what is refused and where, and that a dataset is stored once or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.examples import read_examples

CHAT = {"messages": [{"role": "user", "content": "問い"}, {"role": "assistant", "content": "答え"}]}
ALPACA = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
PLAIN = {"prompt": "Say hi.", "completion": "Hi."}


def lines(*records: Any) -> list[bytes]:
    return [(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)).encode() + b"\n" for r in records]


def refused(*raw: bytes) -> LoragError:
    with pytest.raises(LoragError) as caught:
        list(read_examples(raw))
    return caught.value


@pytest.mark.parametrize(
    ("record", "form", "user", "answer"),
    [
        (CHAT, "chat", "問い", "答え"),
        (ALPACA, "alpaca", "Add.\n\n1 and 2", "3"),
        ({"instruction": "Add.", "input": "", "output": "3"}, "alpaca", "Add.", "3"),
        (PLAIN, "prompt-completion", "Say hi.", "Hi."),
    ],
)
def test_each_form_becomes_messages(record: dict[str, Any], form: str, user: str, answer: str) -> None:
    [(found, example)] = read_examples(lines(record))

    assert found == form
    assert [m["content"] for m in example.messages] == [user, answer]
    assert list(example.turns()) == [{"prompt": [example.messages[0]], "completion": [example.messages[1]]}]


def test_every_answer_of_a_conversation_is_a_turn() -> None:
    roles = ["system", "user", "assistant", "user", "assistant"]
    record = {"messages": [{"role": r, "content": str(i)} for i, r in enumerate(roles)]}

    [(_, example)] = read_examples(lines(record))

    assert [(len(t["prompt"]), t["completion"][0]["content"]) for t in example.turns()] == [(2, "2"), (4, "4")]


def test_blank_lines_and_a_byte_order_mark_do_not_disturb_the_line_numbers() -> None:
    raw = [b"\xef\xbb\xbf" + lines(PLAIN)[0], b"\n", *lines(PLAIN)]

    assert [example.line for _, example in read_examples(raw)] == [1, 3]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{not json", "not JSON"),
        ("[1]", "object is expected"),
        (CHAT, "'prompt' is missing"),
        ({"prompt": "a", "completion": "  "}, "'completion' is empty"),
        ({"prompt": 5, "completion": "b"}, "must be a text"),
        ('{"prompt": "\\ud800", "completion": "b"}', "surrogate"),
    ],
)
def test_a_bad_line_is_named(bad: Any, says: str) -> None:
    error = refused(*lines(PLAIN, PLAIN, bad))

    assert error.reason is Reason.DATASET_MALFORMED
    assert error.message.startswith("Line 3: ")
    assert says in error.message


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "a"}],
        [{"role": "assistant", "content": "a"}],
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}],
        [{"role": "tool", "content": "a"}, {"role": "assistant", "content": "c"}],
        [{"role": "user"}, {"role": "assistant", "content": "c"}],
    ],
)
def test_a_conversation_that_cannot_be_learned_is_refused(messages: list[dict[str, str]]) -> None:
    assert refused(*lines({"messages": messages})).message.startswith("Line 1: ")


def test_bytes_that_are_no_text_are_named_by_line() -> None:
    assert "Line 2: not UTF-8" in refused(*lines(PLAIN), "答".encode("shift_jis")).message


def test_nothing_but_blank_lines_is_an_empty_dataset() -> None:
    assert refused(b"\n", b"  \n").reason is Reason.DATASET_EMPTY


def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    store, payload = DatasetStore(tmp_path), b"".join(lines(PLAIN, PLAIN))
    found = []
    for name in ("a.jsonl", "../b.jsonl"):
        with store.upload(name, len(payload), hashlib.sha256(payload).hexdigest()) as upload:
            upload.write(payload[:7])
            upload.write(payload[7:])
            found.append(upload.commit())

    assert found[0] == found[1] == store.list()[0]
    assert (found[0].name, found[0].example_count, found[0].size) == ("a.jsonl", 2, len(payload))
    assert [p.name for p in (tmp_path / "datasets").iterdir()] == [hashlib.sha256(payload).hexdigest()]
    assert [e.line for e in store.examples(found[0].id)] == [1, 2]


@pytest.mark.parametrize(
    ("size", "sha256", "payload", "reason"),
    [
        (999, "", lines(PLAIN)[0], Reason.UPLOAD_CORRUPT),
        (0, "0" * 64, lines(PLAIN)[0], Reason.UPLOAD_CORRUPT),
        (0, "", b"", Reason.DATASET_EMPTY),
        (0, "", b"{", Reason.DATASET_MALFORMED),
        (0, "", b"x" * 2000, Reason.UPLOAD_TOO_LARGE),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    tmp_path: Path, size: int, sha256: str, payload: bytes, reason: Reason
) -> None:
    store = DatasetStore(tmp_path, max_bytes=1000)

    def upload() -> None:
        with store.upload("a", size, sha256) as upload:
            upload.write(payload)
            upload.commit()

    with pytest.raises(LoragError) as caught:
        upload()

    assert caught.value.reason is reason
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.parametrize("dataset_id", ["", "..", "0" * 64, "../datasets"])
def test_an_unknown_dataset_is_not_found(tmp_path: Path, dataset_id: str) -> None:
    with pytest.raises(LoragError) as caught:
        DatasetStore(tmp_path).get(dataset_id)

    assert caught.value.reason is Reason.DATASET_NOT_FOUND
