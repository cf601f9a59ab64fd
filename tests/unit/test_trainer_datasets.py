"""Datasets: what is read, what is refused and where, and that a dataset is stored once or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lorag_common.errors import LoragError, Reason
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.examples import Example, read_examples
from lorag_trainer.files import Refused, file_type, read_records

CHAT = {"messages": [{"role": "user", "content": "問い"}, {"role": "assistant", "content": "答え"}]}
ALPACA = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
PLAIN = {"prompt": "Say hi.", "completion": "Hi."}


SHAREGPT = {"conversations": [{"from": "human", "value": "問い"}, {"from": "gpt", "value": "答え"}]}


def lines(*records: Any) -> list[bytes]:
    return [(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)).encode() + b"\n" for r in records]


def write(folder: Path, *raw: bytes) -> Path:
    path = folder / "given"
    path.write_bytes(b"".join(raw))
    return path


def read(folder: Path, *raw: bytes, kind: str = "jsonl") -> list[Any]:
    return list(read_examples(read_records(write(folder, *raw), kind)))


def refused(folder: Path, *raw: bytes) -> Refused:
    [bad] = [r for r in read(folder, *raw) if isinstance(r, Refused)]
    return bad


@pytest.mark.parametrize(
    ("record", "form", "user", "answer"),
    [
        (CHAT, "chat", "問い", "答え"),
        (ALPACA, "alpaca", "Add.\n\n1 and 2", "3"),
        ({"instruction": "Add.", "input": "", "output": "3"}, "alpaca", "Add.", "3"),
        (PLAIN, "prompt-completion", "Say hi.", "Hi."),
        (SHAREGPT, "sharegpt", "問い", "答え"),
    ],
)
def test_each_form_becomes_messages(tmp_path: Path, record: dict[str, Any], form: str, user: str, answer: str) -> None:
    [(found, example)] = read(tmp_path, *lines(record))

    assert found == form
    assert [m["content"] for m in example.messages] == [user, answer]
    assert list(example.turns()) == [{"prompt": [example.messages[0]], "completion": [example.messages[1]]}]


def test_plain_text_is_one_example_a_record(tmp_path: Path) -> None:
    [(form, example)] = read(tmp_path, *lines({"text": "本文。"}))

    assert (form, example) == ("text", Example(1, text="本文。"))
    assert example.as_dict() == {"text": "本文。"}


def test_every_answer_of_a_conversation_is_a_turn(tmp_path: Path) -> None:
    roles = ["system", "user", "assistant", "user", "assistant"]
    record = {"messages": [{"role": r, "content": str(i)} for i, r in enumerate(roles)]}

    [(_, example)] = read(tmp_path, *lines(record))

    assert [(len(t["prompt"]), t["completion"][0]["content"]) for t in example.turns()] == [(2, "2"), (4, "4")]


def test_blank_lines_and_a_byte_order_mark_do_not_disturb_the_line_numbers(tmp_path: Path) -> None:
    raw = [b"\xef\xbb\xbf" + lines(PLAIN)[0], b"\n", *lines(PLAIN)]

    assert [example.line for _, example in read(tmp_path, *raw)] == [1, 3]


FILES = {
    "a.json": (json.dumps([PLAIN, PLAIN], indent=1).encode(), "json", [2, 6]),
    "b.json": (json.dumps({"version": 1, "data": [PLAIN]}).encode(), "json", [1]),
    "c.json": (b"".join(lines(PLAIN, PLAIN)), "jsonl", [1, 2]),
    "d.csv": (b'prompt,completion\nSay hi.,Hi.\n"two\nlines","Hi, ""you"""\n', "csv", [2, 3]),
    "e.tsv": (b"prompt\tcompletion\nSay hi.\tHi.\n", "csv", [2]),
    "f.txt": ("一枚目。\n続き。\f\n二枚目。".encode(), "text", [1, 3]),
    "g.md": (b"[a link] first", "text", [1]),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_told_and_read(tmp_path: Path, name: str) -> None:
    content, kind, at = FILES[name]
    path = write(tmp_path, content)

    assert file_type(path, name) == kind
    found = list(read_examples(read_records(path, kind)))
    assert [example.line for _, example in found] == at


def test_a_csv_keeps_what_its_quotes_hold(tmp_path: Path) -> None:
    _, (_, example) = read(tmp_path, FILES["d.csv"][0], kind="csv")

    assert [m["content"] for m in example.messages] == ["two\nlines", 'Hi, "you"']


def test_parquet_is_read_with_its_lists(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "given"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([CHAT, CHAT]), path)

    assert file_type(path, "x.bin") == "parquet"
    found = list(read_examples(read_records(path, "parquet")))
    assert [(form, example.line) for form, example in found] == [("chat", 1), ("chat", 2)]
    assert [m["content"] for m in found[0][1].messages] == ["問い", "答え"]


@pytest.mark.parametrize(
    ("name", "content", "line", "says"),
    [
        ("a.json", b'[{"prompt": "a", "completion": "b"},\n{"prompt": ]', 2, "nothing behind it"),
        ("a.csv", b"prompt,completion\na,b\nc\n", 3, "1 fields, and the header has 2"),
        ("a.jsonl", b'{"prompt": "a", "completion": "b"}\n' + b"x" * (17 << 20) + b"\n", 2, "longer than 16 MiB"),
    ],
)
def test_what_a_file_has_broken_is_named_by_its_line(
    tmp_path: Path, name: str, content: bytes, line: int, says: str
) -> None:
    path = write(tmp_path, content)

    found = list(read_examples(read_records(path, file_type(path, name))))

    [bad] = [r for r in found if isinstance(r, Refused)]
    assert (bad.line, len(found)) == (line, 2)
    assert says in bad.problem


@pytest.mark.parametrize(("name", "content"), [("a.parquet", b"PAR1 and nothing"), ("a.txt", b"\xff\xfe")])
def test_a_file_that_is_broken_as_a_whole_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = write(tmp_path, content)

    with pytest.raises(LoragError) as caught:
        list(read_records(path, file_type(path, name)))

    assert caught.value.reason is Reason.DATASET_MALFORMED


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
def test_a_bad_line_is_named_and_reading_goes_on(tmp_path: Path, bad: Any, says: str) -> None:
    found = read(tmp_path, *lines(PLAIN, PLAIN, bad, PLAIN))

    assert [isinstance(r, Refused) for r in found] == [False, False, True, False]
    assert found[2].line == 3
    assert says in found[2].problem


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
def test_a_conversation_that_cannot_be_learned_is_refused(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    assert refused(tmp_path, *lines({"messages": messages})).line == 1


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    bad = refused(tmp_path, *lines(PLAIN), "答".encode("shift_jis"))

    assert (bad.line, bad.problem[:9]) == (2, "not UTF-8")


def store_of(folder: Path, *records: Any) -> tuple[DatasetStore, str]:
    store = DatasetStore(folder)
    with store.upload("e.jsonl") as upload:
        upload.write(b"".join(lines(*records)))
        return store, upload.commit().id


def test_five_broken_lines_among_a_hundred_are_named_and_refused_until_told_to_skip_them(tmp_path: Path) -> None:
    broken = {7: "{", 20: {"prompt": "a"}, 55: "[]", 78: {"prompt": "", "completion": "b"}, 100: {"x": 1}}
    records = [broken.get(n, {"prompt": f"q{n}", "completion": "a"}) for n in range(1, 101)]
    store, dataset_id = store_of(tmp_path, *records)

    info = store.get(dataset_id)
    with pytest.raises(LoragError) as caught:
        store.require_readable(dataset_id, skip_refused=False)

    assert (info.example_count, info.refused_count) == (95, 5)
    assert [r.line for r in store.refused(dataset_id)] == [7, 20, 55, 78, 100]
    assert caught.value.reason is Reason.DATASET_MALFORMED
    assert all(f"Line {n}: " in caught.value.message for n in broken)
    assert "skip_refused" in caught.value.remedy
    assert store.require_readable(dataset_id, skip_refused=True) == info
    assert [e.line for e in store.examples(dataset_id)] == [n for n in range(1, 101) if n not in broken]


def test_repeated_examples_are_counted(tmp_path: Path) -> None:
    store, dataset_id = store_of(tmp_path, PLAIN, PLAIN, {**PLAIN, "completion": "Ho."}, PLAIN)

    assert store.get(dataset_id).duplicate_count == 2


def test_a_deleted_dataset_is_gone(tmp_path: Path) -> None:
    store, dataset_id = store_of(tmp_path, PLAIN)

    store.delete(dataset_id)

    assert list((tmp_path / "datasets").iterdir()) == []
    with pytest.raises(LoragError):
        store.delete(dataset_id)


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
