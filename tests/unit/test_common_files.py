"""Artifacts, paths below the data folder, configuration, prompts and pages."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lorag_common import artifacts, rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.paging import page_of
from lorag_common.prompts import Passage, build_messages, cited_numbers, split_sentences
from lorag_common.resolve import resolve_base_model
from lorag_common.settings import ServiceSettings


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.json"
    artifacts.write_atomic(target, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        artifacts.write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_artifact_describes_the_bytes(tmp_path: Path) -> None:
    artifacts.write_atomic(tmp_path / "x" / "f", b"abc")
    found = artifacts.Artifact.of(tmp_path, tmp_path / "x" / "f")
    assert found == artifacts.Artifact("x/f", hashlib.sha256(b"abc").hexdigest(), 3)


@pytest.mark.parametrize("uri", ["../secret", "/etc/passwd", "a/../../b"])
def test_uris_cannot_leave_the_data_folder(tmp_path: Path, uri: str) -> None:
    with pytest.raises(LoragError) as error:
        artifacts.path_of(tmp_path, uri)
    assert error.value.reason is Reason.INVALID_FIELD


def test_base_models_are_read_below_the_roots_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / "models" / "m", tmp_path / "elsewhere" / "m"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    settings = ServiceSettings(data=tmp_path / "data", model_roots=[tmp_path / "models"])
    assert resolve_base_model("m", settings) == inside
    assert resolve_base_model(str(inside), settings) == inside
    for name in (str(outside), "../elsewhere/m", "no/such-model-here"):
        with pytest.raises(LoragError) as error:
            resolve_base_model(name, settings)
        assert error.value.reason is Reason.BASE_MODEL_NOT_FOUND


def test_config_keeps_the_users_keys_and_unknown_ones(tmp_path: Path) -> None:
    path = tmp_path / rag_config.FILE
    path.parent.mkdir()
    path.write_text(
        "llm:\n  provider: ollama\n  ollama:\n    model: deepseek-finetuned\n    base_url: http://localhost:11434\n"
        "    temperature: 0.7\nmine: 1\n"
    )
    config = rag_config.load(tmp_path)
    assert (config.llm.ollama.model, config.llm.ollama.temperature) == ("deepseek-finetuned", 0.7)
    rag_config.save(tmp_path, config)
    assert "mine: 1" in path.read_text()
    assert rag_config.load(tmp_path) == config


@pytest.mark.parametrize(
    ("text", "key"), [("llm: {ollama: {temperature: hot}}", "llm.ollama.temperature"), ("a: [", "")]
)
def test_config_errors_name_the_key(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / rag_config.FILE).write_text(text)
    with pytest.raises(LoragError) as error:
        rag_config.load(tmp_path)
    assert error.value.reason is Reason.CONFIG_INVALID
    assert key in error.value.message


def test_every_sentence_carries_its_mark() -> None:
    passages = [
        Passage("定員は3人である。色は赤である。", "a.pdf", 1),
        Passage("The fee is 3.5 yen. Ask us.", "b.pdf", 2),
    ]
    user = build_messages("定員は？", passages, "0a1b2c3d")[1]["content"]
    lines = "定員は3人である。[1]色は赤である。[1]\nThe fee is 3.5 yen. [2] Ask us. [2]\n"
    assert user == f"資料0a1b2c3d\n{lines}0a1b2c3d終\n質問：定員は？"


def test_sentences_and_citations() -> None:
    assert split_sentences("一。二！ 三") == ["一。", "二！", "三"]
    assert split_sentences("At 3.5 km. Next one? Yes.") == ["At 3.5 km.", "Next one?", "Yes."]
    assert cited_numbers("A [2], B [1][2] and [9].", 3) == [2, 1]


def test_pages() -> None:
    first = page_of(2, "")
    assert first.next_token(2) == ""
    assert page_of(2, first.next_token(3)).offset == 2
    for size, token in ((-1, ""), (1, "nonsense")):
        with pytest.raises(LoragError):
            page_of(size, token)
