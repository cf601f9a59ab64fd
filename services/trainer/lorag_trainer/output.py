"""The adapter's folder: written beside its place, then moved there whole."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.artifacts import Artifact, sha256_file, uri_of, write_json
from lorag_common.child import ChildJob
from lorag_trainer import metrics
from lorag_trainer.adapters import CARD, FOLDER
from lorag_trainer.hyperparameters import TrainingSettings

WEIGHTS = "adapter_model.safetensors"
NAME_FILE = "output.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)


@dataclass(frozen=True)
class Measured:
    """How a training went; losses in nats a token, `heldout_loss` None when nothing was held out.

    Attributes:
        device: cuda or cpu.
        processes: how many trained together.
        notes: what was left out, cut or changed on the way, for a person.
    """

    device: str
    processes: int
    steps: int
    first_loss: float
    final_loss: float
    heldout_loss: float | None
    tokens_per_second: float
    end_time: float
    notes: list[str]


def published(job: ChildJob) -> dict[str, Any] | None:
    """The job's result when its adapter is in place already, else None."""
    name = _name(job, choose=False)
    place = job.data / "outputs" / name / FOLDER if name else None
    return _result(job, place) if place and (place / CARD).is_file() else None


def publish(
    job: ChildJob,
    base: Path,
    settings: TrainingSettings,
    model: Any,
    tokenizer: Any,
    heldout: list[dict[str, Any]],
    measured: Measured,
    weights: Path | None = None,
) -> dict[str, Any]:
    """Write the adapter folder, remove the checkpoints, which have had their day, and return the job's result.

    Args:
        job: the training.
        base: the base model's folder.
        settings: as they were asked for.
        model: with the trained adapter.
        tokenizer: the base's.
        heldout: the examples that were not learned.
        measured: how it went.
        weights: a checkpoint whose adapter is to be published instead of the model's, which is sharded.
    """
    place = job.data / "outputs" / _name(job, choose=True) / FOLDER
    for leftover in place.parent.glob(f".{FOLDER}-*"):
        shutil.rmtree(leftover)
    folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{FOLDER}-"))
    folder.chmod(0o755)
    # Named as the user named it; without this PEFT writes this machine's path. It would then look on the hub whether
    # the embeddings were resized, which they never are.
    model.peft_config["default"].base_model_name_or_path = job.spec["base_model"]
    if weights is None:
        model.save_pretrained(folder, save_embedding_layers=False)
    else:
        shutil.copyfile(weights / WEIGHTS, folder / WEIGHTS)
        model.peft_config["default"].save_pretrained(str(folder))
    _save_tokenizer(base, tokenizer, folder)
    lines = (json.dumps(example, ensure_ascii=False) + "\n" for example in heldout)
    (folder / "heldout.jsonl").write_text("".join(lines), encoding="utf-8")
    rows = metrics.read_metrics(job.folder / metrics.FILE)
    (folder / metrics.FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / metrics.PLOT).write_text(metrics.plot(rows), encoding="utf-8")
    write_json(folder / CARD, _card(job, base, settings, measured, folder))
    for path in folder.iterdir():
        _flush(path)
    os.rename(folder, place)
    _flush(place.parent)
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)
    return _result(job, place)


def _card(job: ChildJob, base: Path, settings: TrainingSettings, measured: Measured, folder: Path) -> dict[str, Any]:
    dataset = json.loads((job.data / "datasets" / job.spec["dataset_id"] / "dataset.json").read_text(encoding="utf-8"))
    below = base.is_relative_to(job.data.resolve())
    # A hub snapshot's folder is named by its revision.
    revision = base.name if base.parent.name == "snapshots" else ""
    return {
        "job": job.id,
        "base_model": job.spec["base_model"],
        "base_path": "" if revision else uri_of(job.data, base) if below else str(base),
        "base_revision": revision,
        "base_config_sha256": sha256_file(base / "config.json"),
        "dataset": {"sha256": dataset["id"], "name": dataset["name"], "example_count": dataset["example_count"]},
        "settings": settings.model_dump(),
        "weights_sha256": sha256_file(folder / WEIGHTS),
        **asdict(measured),
        # Restarts and the time between them included.
        "duration_seconds": round(measured.end_time - _first_event(job), 3),
        "create_time": measured.end_time,
    }


def _save_tokenizer(base: Path, tokenizer: Any, folder: Path) -> None:
    # The base's own files, byte for byte: training sets a padding token, and converters tell tokenizers by their files.
    if (base / "tokenizer.json").is_file():
        for name in TOKENIZER_FILES:
            if (base / name).is_file():
                shutil.copyfile(base / name, folder / name)
    else:
        tokenizer.save_pretrained(folder)
    if not (folder / "chat_template.jinja").exists() and isinstance(tokenizer.chat_template, str):
        (folder / "chat_template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")


def _name(job: ChildJob, *, choose: bool) -> str:
    note = job.folder / NAME_FILE
    if note.exists():
        return str(json.loads(note.read_text(encoding="utf-8"))["name"])
    if not choose:
        return ""
    (job.data / "outputs").mkdir(parents=True, exist_ok=True)
    second = time.time()
    while True:
        name = time.strftime("lora_%Y%m%d_%H%M%S", time.localtime(second))
        try:
            (job.data / "outputs" / name).mkdir()
        except FileExistsError:
            second += 1
            continue
        write_json(note, {"name": name})
        return name


def _result(job: ChildJob, place: Path) -> dict[str, Any]:
    return {"artifacts": [Artifact.of(job.data, place / WEIGHTS).as_dict()], "adapter": uri_of(job.data, place)}


def _first_event(job: ChildJob) -> float:
    with (job.folder / "events.jsonl").open(encoding="utf-8") as f:
        return float(json.loads(f.readline())["time"])


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
