"""The child process of a training: where it runs is decided here; `fit.py` trains.

On CUDA the model server is asked to unload its models first, and the GPU is held (`lorag_common.gpu`) until the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lorag_trainer.machine import this_machine

MACHINE = this_machine()
if MACHINE.device == "cpu":
    # Before torch is imported, which reads these once: busy threads on few cores make a step many times slower.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Fragments of memory grow and shrink in place, so that long and short sequences may follow each other.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

from lorag_common import rag_config  # noqa: E402
from lorag_common.child import ChildJob, as_lorag_error  # noqa: E402
from lorag_common.errors import LoragError, Reason  # noqa: E402
from lorag_common.gpu import gpu_held  # noqa: E402
from lorag_common.model_server import ModelServer  # noqa: E402
from lorag_common.resolve import resolve_base_model  # noqa: E402
from lorag_common.settings import ServiceSettings  # noqa: E402
from lorag_trainer.datasets import DatasetStore  # noqa: E402
from lorag_trainer.estimate import choose_ranks, read_config  # noqa: E402
from lorag_trainer.hyperparameters import TrainingSettings  # noqa: E402
from lorag_trainer.output import published  # noqa: E402
from lorag_trainer.plan import SHAPES  # noqa: E402
from lorag_trainer.ranks import run_ranks  # noqa: E402
from lorag_trainer.shape import shape_of  # noqa: E402


def main(job: ChildJob) -> dict[str, Any]:
    """Train, or go on training; see `lorag_common.child`."""
    if (done := published(job)) is not None:
        return done
    if MACHINE.device == "cpu":
        return _train(job)
    with models_unloaded(job), gpu_held(job.data, job.id):
        return _train(job)


def as_training_error(error: BaseException) -> LoragError:
    """The one error table's words for what a training ended by; memory that ran out is told in several ways."""
    text = str(error)
    if isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text.lower()):
        return LoragError(Reason.OUT_OF_MEMORY, f"Memory ran out on {MACHINE.device}: {text.splitlines()[0]}")
    return as_lorag_error(error)


@contextmanager
def models_unloaded(job: ChildJob) -> Iterator[None]:
    """The model server's models are out of memory within; afterwards those that were loaded are loaded again."""
    server = ModelServer(rag_config.load(job.data, job.spec["default_url"]).llm.ollama.base_url)
    models: list[str] = []
    if server.reachable():
        models = list(server.loaded())
        for model in models:
            job.report("unloading", 0, len(models), f"asking the model server to unload {model}")
            server.unload(model)
    try:
        yield
    finally:
        for model in models:
            try:
                server.load(model)
            except LoragError as error:
                # The training is done; a model that does not come back is loaded by the next question.
                job.report("loading", 0, 0, f"the model server did not load {model} again: {error.message}")


def _train(job: ChildJob) -> dict[str, Any]:
    settings = TrainingSettings.parse(job.spec["settings"])
    base = resolve_base_model(job.spec["base_model"], ServiceSettings(data=job.data), weights=False, download=True)
    dataset = DatasetStore(job.data).get(job.spec["dataset_id"])
    shape = shape_of(read_config(base), job.data / SHAPES)
    ranks = choose_ranks(shape, dataset, settings, this_machine())
    try:
        if ranks.world > 1:
            return run_ranks(job, ranks)
        if ranks.device == "cuda":
            # One GPU, that with the most room: with several in sight the trainer would spread a batch over them.
            best = max(range(len(MACHINE.vram)), key=lambda i: MACHINE.vram[i])
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(best))
        from lorag_trainer.fit import fit

        return fit(job, ranks)
    except RuntimeError as error:
        raise as_training_error(error) from error
