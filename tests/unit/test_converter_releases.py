"""Release folders, their names and versions, the Modelfile, and what a conversion is said to need."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lorag_common.errors import LoragError, Reason
from lorag_converter import estimate, releases


def add(data: Path, model: str, version: int, time: str = "2026-01-01T00:00:00+00:00") -> Path:
    folder = data / "releases" / model / f"v{version}"
    folder.mkdir(parents=True)
    certificate = {"id": f"{model}:v{version}", "version": version, "create_time": time, "published": None}
    (folder / releases.CERTIFICATE).write_text(json.dumps(certificate))
    return folder


@pytest.mark.parametrize("name", ["a", "my-model", "deepseek-r1.32b_ja"])
def test_names_that_model_servers_take(name: str) -> None:
    assert releases.require_model_name(name) == name


@pytest.mark.parametrize("name", ["", "Upper", "with space", "../up", ".hidden", "a/b", "a:b", "x" * 65])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(LoragError) as refusal:
        releases.require_model_name(name)

    assert refusal.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize("id_", ["m:v2", "m", "m:v0", "../../m:v1", "m:v1/..", ""])
def test_a_release_that_is_not_there(id_: str, tmp_path: Path) -> None:
    add(tmp_path, "m", 1)

    with pytest.raises(LoragError) as refusal:
        releases.load(tmp_path, id_)

    assert refusal.value.reason is Reason.RELEASE_NOT_FOUND


def test_versions_count_from_one_and_skip_what_is_in_the_making(tmp_path: Path) -> None:
    assert releases.next_version(tmp_path, "m") == 1
    add(tmp_path, "m", 1)
    (tmp_path / "releases" / "m" / ".v4.converter-1").mkdir()

    assert releases.next_version(tmp_path, "m") == 5
    assert releases.next_version(tmp_path, "other") == 1


def test_the_newest_comes_first_and_a_half_made_one_not_at_all(tmp_path: Path) -> None:
    for version, time in ((1, "2026-01-03T00:00:00+00:00"), (2, "2026-01-01T00:00:00+00:00")):
        add(tmp_path, "m", version, time)
    add(tmp_path, "other", 1, "2026-01-02T00:00:00+00:00")
    (tmp_path / "releases" / "m" / ".v3.converter-1").mkdir()

    assert [r["id"] for r in releases.load_all(tmp_path)] == ["m:v1", "other:v1", "m:v2"]
    assert [r["id"] for r in releases.load_all(tmp_path, "m")] == ["m:v1", "m:v2"]


def test_a_publication_is_noted(tmp_path: Path) -> None:
    add(tmp_path, "m", 1)

    releases.mark_published(tmp_path, "m:v1", server="http://server", digest="abc", smoke="482人です。")

    noted = releases.load(tmp_path, "m:v1")["published"]
    assert (noted["server"], noted["name"], noted["digest"]) == ("http://server", "m:v1", "abc")
    assert noted["smoke"] == "482人です。"


def test_the_modelfile_names_the_file_beside_it_and_quotes_stops() -> None:
    text = releases.modelfile(["<|im_end|>", 'a "b"\n'], 0.7)

    assert text.splitlines() == [
        "FROM ./model.gguf",
        "PARAMETER temperature 0.7",
        'PARAMETER stop "<|im_end|>"',
        'PARAMETER stop "a \\"b\\"\\n"',
    ]


def test_needs_follow_from_headers(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000, 100), "b": torch.zeros(24)}, tmp_path / "model-1.safetensors")
    save_file({"c": torch.zeros(50, 2)}, tmp_path / "model-2.safetensors")

    f16, q4 = (estimate.estimate(tmp_path, kind, tmp_path) for kind in ("F16", "Q4_K_M"))

    assert estimate.parameters(tmp_path) == 100_124
    assert f16.disk_bytes == 2 * 100_124
    assert q4.disk_bytes < f16.disk_bytes / 3
    assert q4.publish_disk_bytes == 3 * q4.disk_bytes
    assert q4.seconds > 0
    assert q4.ram_bytes < 1 << 30


def test_a_full_disk_is_said_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"a": torch.zeros(1000, 100)}, tmp_path / "model.safetensors")
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))

    needs = estimate.estimate(tmp_path, "Q4_K_M", tmp_path)

    assert not needs.fits
    assert "smaller quantization type" in needs.advice[0]
