"""Which release answers: activated, rolled back, configured; `rag_config.yaml` is always whole."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import TINY_BASE
from qa_parts import Server, model_server, write_release

from lorag_common import artifacts, rag_config
from lorag_common.errors import LoragError, Reason
from lorag_qa.activation import Activation

NAMES = ["tiny:v1", "tiny:v2", "tiny:v3"]


@pytest.fixture
def server() -> Iterator[Server]:
    with model_server(*NAMES) as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in NAMES:
        write_release(tmp_path, name, TINY_BASE)
    return tmp_path


@pytest.fixture
def activation(data: Path, server: Server) -> Activation:
    return Activation(data, server.url)


def stored(data: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((data / rag_config.FILE).read_text(encoding="utf-8")))


def test_the_first_reading_writes_the_defaults_with_the_given_address(tmp_path: Path) -> None:
    Activation(tmp_path, "http://one:1").config()
    assert Activation(tmp_path, "http://two:2").config().llm.ollama.base_url == "http://one:1"
    assert stored(tmp_path)["llm"]["ollama"]["base_url"] == "http://one:1"


def test_activating_names_the_exact_version_and_copies_it_to_the_short_name(
    activation: Activation, server: Server, data: Path
) -> None:
    config = activation.activate("tiny:v1")
    assert (config.release, config.llm.ollama.model, config.history) == ("tiny:v1", "tiny:v1", [])
    assert stored(data) == config.model_dump()
    assert server.bodies("/api/copy") == [{"source": "tiny:v1", "destination": "tiny"}]


def test_activating_the_active_release_changes_nothing(activation: Activation, server: Server, data: Path) -> None:
    activation.activate("tiny:v1")
    activation.activate("tiny:v2")
    before, calls = (data / rag_config.FILE).read_bytes(), len(server.calls)
    assert activation.activate("tiny:v2").history == ["tiny:v1"]
    assert ((data / rag_config.FILE).read_bytes(), len(server.calls)) == (before, calls)


def test_rolling_back_goes_the_way_back_and_then_says_that_it_ended(activation: Activation, server: Server) -> None:
    for name in NAMES:
        activation.activate(name)
    assert activation.config().history == ["tiny:v2", "tiny:v1"]
    assert activation.rollback().release == "tiny:v2"
    config = activation.rollback()
    assert (config.release, config.llm.ollama.model, config.history) == ("tiny:v1", "tiny:v1", [])
    assert server.bodies("/api/copy")[-1] == {"source": "tiny:v1", "destination": "tiny"}
    with pytest.raises(LoragError) as error:
        activation.rollback()
    assert error.value.reason is Reason.NO_PREVIOUS_RELEASE


def test_the_history_is_bounded(activation: Activation) -> None:
    activation.update({"keep_releases": 6})
    for n in range(11):
        activation.activate(NAMES[n % 2])
    assert len(activation.config().history) == 6


@pytest.mark.parametrize(
    ("name", "reason"), [("tiny:v9", Reason.RELEASE_NOT_FOUND), ("tiny:v3", Reason.MODEL_NOT_FOUND)]
)
def test_what_cannot_answer_is_not_activated(
    activation: Activation, server: Server, data: Path, name: str, reason: Reason
) -> None:
    activation.activate("tiny:v1")
    server.models.discard("tiny:v3")
    before = (data / rag_config.FILE).read_bytes()
    with pytest.raises(LoragError) as error:
        activation.activate(name)
    assert error.value.reason is reason
    assert (data / rag_config.FILE).read_bytes() == before


def test_a_model_server_that_is_down_leaves_the_configuration_alone(data: Path) -> None:
    with model_server() as gone:
        url = gone.url
    with pytest.raises(LoragError) as error:
        Activation(data, url).activate("tiny:v1")
    assert error.value.reason is Reason.MODEL_SERVER_UNAVAILABLE
    assert stored(data)["release"] == ""


def test_a_failing_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    activation: Activation, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activation.activate("tiny:v1")
    before = (data / rag_config.FILE).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        activation.activate("tiny:v2")
    assert (data / rag_config.FILE).read_bytes() == before
    assert os.listdir(data / "config") == [rag_config.FILE.name]


def test_a_reader_never_sees_half_a_file(activation: Activation, data: Path) -> None:
    activation.activate("tiny:v1")
    done = threading.Event()
    seen: list[Any] = []

    def read() -> None:
        while not done.is_set():
            try:
                seen.append(rag_config.load(data).retrieval.top_k)
            except Exception as error:
                seen.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 41):
        activation.update({"retrieval.top_k": n})
    done.set()
    reader.join()
    assert seen
    assert all(isinstance(value, int) and 1 <= value <= 40 for value in seen)


def test_updates_what_is_given_and_keeps_the_rest_and_hand_written_keys(activation: Activation, data: Path) -> None:
    activation.config()
    by_hand = stored(data) | {"note": "手書き"}
    (data / rag_config.FILE).write_text(yaml.safe_dump(by_hand, allow_unicode=True), encoding="utf-8")
    activation.update({"llm.ollama.num_ctx": 2048, "retrieval.vector_weight": 0.0, "embedding.model": "e"})
    after = stored(data)
    assert after["note"] == "手書き"
    assert (after["llm"]["ollama"]["num_ctx"], after["retrieval"]["vector_weight"]) == (2048, 0.0)
    assert after["embedding"]["model"] == "e"
    assert after["llm"]["ollama"]["temperature"] == by_hand["llm"]["ollama"]["temperature"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("llm.ollama.temperature", 2.1),
        ("llm.ollama.temperature", float("nan")),
        ("llm.ollama.num_ctx", 255),
        ("retrieval.top_k", 0),
        ("retrieval.top_k", 51),
        ("retrieval.vector_weight", -0.1),
        pytest.param(
            "llm.ollama.base_url",
            "not an address",
        ),
    ],
)
def test_a_bad_value_is_refused_by_its_key_and_nothing_of_the_request_is_kept(
    activation: Activation, data: Path, path: str, value: Any
) -> None:
    activation.config()
    before = (data / rag_config.FILE).read_bytes()
    with pytest.raises(LoragError) as error:
        activation.update({"embedding.model": "other", path: value})
    assert error.value.reason is Reason.CONFIG_INVALID
    assert path in error.value.message
    assert (data / rag_config.FILE).read_bytes() == before


def test_a_setting_changed_during_an_activation_is_kept(activation: Activation, server: Server) -> None:
    def change() -> None:
        changing.start()
        changing.join(0.5)  # it may also wait until the activation is done

    changing = threading.Thread(target=activation.update, args=({"retrieval.top_k": 9},))
    server.before_copy = change
    activation.activate("tiny:v1")
    changing.join()
    config = activation.config()
    assert (config.release, config.retrieval.top_k) == ("tiny:v1", 9)


def test_activating_after_the_model_was_changed_by_hand_sets_it_right(activation: Activation, data: Path) -> None:
    activation.activate("tiny:v1")
    config = rag_config.load(data)
    config.llm.ollama.model = "llama3"
    rag_config.save(data, config)
    assert activation.activate("tiny:v1").llm.ollama.model == "tiny:v1"


def test_rolling_back_passes_over_a_release_that_was_deleted(activation: Activation, data: Path) -> None:
    for name in NAMES:
        activation.activate(name)
    (data / "releases/tiny/v2/release.json").unlink()
    assert activation.rollback().release == "tiny:v1"


def test_a_release_that_was_found_worse_is_activated_only_when_told_to(activation: Activation, data: Path) -> None:
    activation.activate("tiny:v1")
    found = {"verdict": "WORSE", "summary": "'tiny:v2' is worse than 'tiny:v1' over 24 questions."}
    (data / "releases/tiny/v2/evaluation.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(LoragError) as error:
        activation.activate("tiny:v2", force=False)
    assert (error.value.reason, error.value.message) == (Reason.RELEASE_WORSE, found["summary"])
    assert activation.config().release == "tiny:v1"
    assert activation.activate("tiny:v2", force=True).release == "tiny:v2"


def test_a_broken_hand_edit_keeps_the_last_good_one_and_says_which_line(activation: Activation, data: Path) -> None:
    activation.activate("tiny:v1")
    path = data / rag_config.FILE
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("temperature: 0.7", "temperature: 7"), encoding="utf-8")
    line = good[: good.index("temperature: 0.7")].count("\n") + 1
    config = activation.config()
    assert (config.release, config.llm.ollama.temperature) == ("tiny:v1", 0.7)
    assert f"line {line}" in config.problem and "llm.ollama.temperature" in config.problem
    with pytest.raises(LoragError) as error:
        activation.update({"retrieval.top_k": 3})
    assert error.value.reason is Reason.CONFIG_INVALID, "a hand edit is never written over"
    path.write_text(good.replace("llm:", "llm: [", 1), encoding="utf-8")
    assert "line" in activation.config().problem
    path.write_text(good.replace("temperature: 0.7", "temperature: 0.1"), encoding="utf-8")
    assert (activation.config().problem, activation.config().llm.ollama.temperature) == ("", 0.1)
