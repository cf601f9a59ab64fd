"""Publishing: what the model server really does is checked before a release gets its name, and what differs is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_BASE
from runtime_process import RuntimeProcess

from lorag_common.artifacts import sha256_file
from lorag_common.child import ChildJob
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer
from lorag_converter import publish_disk, publish_job, releases

THINKING = ("<|im_start|>assistant\n'", "<|im_start|>assistant\n<think>\n'")
STOP = ["<|im_end|>"]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeProcess]:
    process = RuntimeProcess(tmp_path_factory.mktemp("runtime"))
    yield process
    process.stop()


def base_with(folder: Path, *changes: tuple[str, str], bos: str = "") -> Path:
    """A copy of the tiny base with another chat template."""
    shutil.copytree(TINY_BASE, folder)
    template = folder / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    template.write_text(text, encoding="utf-8")
    if bos:
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": bos}))
    return folder


def export(base: Path, out: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "lorag_converter.export", str(base), "--out", str(out)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def release(data: Path, trained: Path, gguf: Path, stop: list[str] = STOP, release_id: str = "tiny:v1") -> Path:
    """A release with the tokenizer of `trained`, served by `gguf`."""
    model, _, version = release_id.partition(":")
    folder = data / "releases" / model / version
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"):
        shutil.copyfile(trained / name, folder / name)
    shutil.copyfile(gguf, folder / "model.gguf")
    certificate = {
        "id": release_id, "model": model, "version": int(version[1:]), "base_model": "tiny_base", "published": None,
        "gguf": {"sha256": sha256_file(gguf), "size": gguf.stat().st_size},
        "prompt": {"stop": stop, "parameters": {"temperature": 0.0, "stop": stop}},
    }  # fmt: skip
    (folder / releases.CERTIFICATE).write_text(json.dumps(certificate))
    return folder


def publication(data: Path, url: str, release_id: str = "tiny:v1", **spec: str) -> ChildJob:
    folder = data / "jobs" / f"converter-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"release_id": release_id, "default_url": url, **spec}))
    return ChildJob(folder, data)


def refused(data: Path, runtime: RuntimeProcess, name: str = "tiny:v1") -> str:
    with pytest.raises(LoragError) as error:
        publish_job.main(publication(data, runtime.url, name))
    assert error.value.reason is Reason.PARITY_FAILED
    assert not [n for n in ModelServer(runtime.url).list() if n.startswith(name)], "a refused model keeps no name"
    assert releases.load(data, name)["published"] is None
    return error.value.message


def test_a_release_that_is_served_as_it_was_trained_gets_its_name(
    tmp_path: Path, runtime: RuntimeProcess, tiny_gguf: Path
) -> None:
    release(tmp_path, TINY_BASE, tiny_gguf, release_id="good:v1")
    job = publication(tmp_path, runtime.url, "good:v1", system="資料だけから答える。", license="MIT")
    assert publish_job.main(job)["artifacts"][0]["uri"] == "releases/good/v1/release.json"
    noted = releases.load(tmp_path, "good:v1")["published"]
    assert noted["parity"] == {"compared": 4, "template": "jinja", "counts": {"equal": 8, "unknown": 0}}
    assert noted["smoke"]
    shown = ModelServer(runtime.url).show("good:v1")
    assert "資料だけから答える。" in str(shown.modelfile)
    assert shown.license == "MIT"
    assert [n for n in ModelServer(runtime.url).list() if "checking" in n] == []

    release(tmp_path, TINY_BASE, tiny_gguf, release_id="good:v2")
    publish_job.main(publication(tmp_path, runtime.url, "good:v2"))
    assert releases.load(tmp_path, "good:v2")["published"]["others"] == ["good:v1"]


def test_a_swallowed_think_is_caught_by_name(tmp_path: Path, runtime: RuntimeProcess, tiny_gguf: Path) -> None:
    release(tmp_path, base_with(tmp_path / "base", THINKING), tiny_gguf)
    assert "a swallowed <think>" in refused(tmp_path, runtime)


def test_a_double_bos_is_caught_by_name(tmp_path: Path, runtime: RuntimeProcess) -> None:
    once, twice = (
        (("{% for message in messages %}", "{{ bos_token }}" * n + "{% for message in messages %}"),) for n in (1, 2)
    )
    bos = "<|endoftext|>"
    served = export(base_with(tmp_path / "twice", *twice, bos=bos), tmp_path / "twice.gguf")
    release(tmp_path, base_with(tmp_path / "once", *once, bos=bos), served)
    assert "a double BOS" in refused(tmp_path, runtime)


def test_a_wrong_stop_token_is_caught_by_name(tmp_path: Path, runtime: RuntimeProcess, tiny_gguf: Path) -> None:
    other = (
        ("<|im_end|>' + '\n", "<|endoftext|>' + '\n"),
        ("['content'] + '<|im_end|>' }}{% endgen", "['content'] + '<|endoftext|>' }}{% endgen"),
    )
    trained = base_with(tmp_path / "trained", *other)
    release(tmp_path, trained, tiny_gguf, release_id="tiny:v1")
    assert "a wrong stop token: an answer ends with '<|endoftext|>'" in refused(tmp_path, runtime)
    # The stop text is right, but the server's template ends turns by another token.
    release(tmp_path, trained, tiny_gguf, ["<|endoftext|>"], "tiny:v2")
    assert "a wrong stop token: for one question a turn ends" in refused(tmp_path, runtime, "tiny:v2")


def test_killing_the_model_server_mid_publish_is_a_clear_state_and_the_job_finishes_once_it_is_back(
    tmp_path: Path, tiny_gguf: Path
) -> None:
    own = RuntimeProcess(tmp_path / "runtime")
    try:
        release(tmp_path, TINY_BASE, tiny_gguf, release_id="killed:v1")
        job = publication(tmp_path, own.url, "killed:v1")
        done: list[Any] = []
        worker = threading.Thread(target=lambda: done.append(publish_job.main(job)))

        def when(stage: str, seconds: float = 60) -> dict[str, Any]:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                events = (
                    [json.loads(x) for x in (job.folder / "events.jsonl").read_text().splitlines()]
                    if (job.folder / "events.jsonl").exists()
                    else []
                )
                if found := [e for e in events if e["stage"] == stage]:
                    return dict(found[-1])
                time.sleep(0.005)
            raise AssertionError(f"no '{stage}'")

        worker.start()
        when("checking the server's prompts")
        own.kill()
        waiting = when("waiting")
        assert own.url in waiting["message"] and "ollama serve" in waiting["message"]
        time.sleep(1.5)
        assert not done and worker.is_alive()
        own.start()
        worker.join(60)
        assert done and releases.load(tmp_path, "killed:v1")["published"]["name"] == "killed:v1"
        assert list(ModelServer(own.url).list()) == ["killed:v1"]
    finally:
        own.stop()


def test_the_disk_that_an_import_takes_is_said_beforehand(
    tmp_path: Path, runtime: RuntimeProcess, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ModelServer(runtime.url)
    size = 20 << 30
    certificate = {"gguf": {"sha256": "0" * 64, "size": size}}
    assert publish_disk.needed(server, certificate) == size
    monkeypatch.setattr(server, "version", lambda: "0.30.1")
    assert publish_disk.needed(server, certificate) == 3 * size
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    with pytest.raises(LoragError) as error:
        publish_disk.require_room(server, 1 << 60, tmp_path)
    assert error.value.reason is Reason.DISK_FULL
