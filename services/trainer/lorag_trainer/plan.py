"""What can be known of a training before it is queued, and what is done when memory runs out under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import JobContext
from lorag_common.resolve import require_base_model, resolve_base_model
from lorag_common.settings import ServiceSettings
from lorag_trainer.adapters import AdapterShelf
from lorag_trainer.adjust import descend_on_disk
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.estimate import Estimate, choose_ranks, estimate, read_config
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.machine import Machine, free_disk, this_machine
from lorag_trainer.shape import shape_of

CHILD = "lorag_trainer.train_job"
SHAPES = Path("state") / "shapes"


def check_training(base_model: str, settings: ServiceSettings) -> None:
    """Refuse a base model that cannot be had or cannot be trained on; a hub's model is checked when it has arrived.

    Raises:
        LoragError: BASE_MODEL_NOT_FOUND, BASE_MODEL_QUANTIZED, BASE_MODEL_UNREADABLE.
    """
    require_base_model(base_model, settings)
    try:
        base = resolve_base_model(base_model, settings)
    except LoragError as error:
        if error.reason is Reason.BASE_MODEL_NOT_FOUND:
            return
        raise
    read_config(base)


class Estimator:
    """Says what trainings need on this machine, or on GPUs that are only thought of."""

    def __init__(self, settings: ServiceSettings, datasets: DatasetStore, adapters: AdapterShelf) -> None:
        self._settings, self._datasets, self._adapters = settings, datasets, adapters

    def estimate(
        self, base_model: str, dataset_id: str, settings: TrainingSettings, gpu_bytes: tuple[int, ...] = ()
    ) -> Estimate:
        """What a training needs.

        Args:
            base_model: as in StartTraining; of a hub's model only the small files are fetched.
            dataset_id: the dataset's.
            settings: of the training.
            gpu_bytes: free memory of each GPU to plan for; empty: this machine's.

        Raises:
            LoragError: DATASET_NOT_FOUND, BASE_MODEL_NOT_FOUND and what reading its config.json raises.
        """
        dataset = self._datasets.get(dataset_id)
        base = resolve_base_model(base_model, self._settings, weights=False, download=True)
        shape = shape_of(read_config(base), self._settings.data / SHAPES)
        here = this_machine()
        machine = Machine(gpu_bytes, here.ram) if gpu_bytes else here
        ranks = choose_ranks(shape, dataset, settings, machine)
        speed = 0.0 if gpu_bytes else self._adapters.speed(base_model, ranks.device, ranks.world)
        return estimate(shape, dataset, settings, machine, free_disk(self._settings.data), speed)


def train(job: JobContext) -> dict[str, Any]:
    """The body of a training job: the child, and once more on a lower rung each time that memory ran out.

    Raises:
        LoragError: what the child failed by; OUT_OF_MEMORY when the lowest rung was not low enough.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return job.child(CHILD)
        except LoragError as error:
            if error.reason is not Reason.OUT_OF_MEMORY:
                raise
            arguments = (str(job.folder), job.spec["settings"], attempt, error.message)
            if not job.step(f"adjust-{attempt}", descend_on_disk, *arguments):
                raise
