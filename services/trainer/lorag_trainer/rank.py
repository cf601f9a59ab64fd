"""One rank of a training on several processes: `python -m lorag_trainer.rank <job folder> <data folder>`.

Started by `accelerate launch` (see `ranks.py`), which tells it its number by the environment. It ends when the service
does, and the first rank writes the result.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path

from lorag_common.artifacts import write_json
from lorag_common.child import EXIT_FAILED, EXIT_INTERRUPTED, ChildJob, JobInterrupted, error_path, result_path
from lorag_trainer.ranks import MODULE, Ranks


class RankJob(ChildJob):
    """The job as a rank sees it: the first rank alone speaks for it, and all are told to stop by a file."""

    def report(self, stage: str, completed: float, total: float = 0, message: str = "", **metrics: float) -> None:
        """Say how far the work is, if this is the first rank."""
        if os.environ.get("RANK", "0") == "0":
            super().report(stage, completed, total, message, **metrics)

    def stop_requested(self) -> bool:
        """Whether the process that started the ranks was asked to stop."""
        return (self.folder / "stop").exists()


def _end_with_service() -> None:
    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(EXIT_FAILED)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _shard_on_cpu() -> None:
    """Make accelerate shard on CPU as it does on GPUs; by itself it forgets about FSDP where there is none."""
    from accelerate import Accelerator, PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin()
    state = Accelerator(cpu=True, fsdp_plugin=plugin).state
    state.fsdp_plugin = plugin
    state.distributed_type = PartialState().distributed_type = DistributedType.FSDP


def main(argv: list[str]) -> int:
    """Train as one of several; the exit status tells the launcher how it went."""
    _end_with_service()
    folder, data = Path(argv[0]), Path(argv[1])
    from lorag_trainer.fit import fit
    from lorag_trainer.train_job import as_training_error

    ranks = Ranks.here()
    try:
        if ranks.sharded and ranks.device == "cpu":
            _shard_on_cpu()
        result = fit(RankJob(folder, data), ranks)
        if os.environ.get("RANK", "0") == "0":
            write_json(result_path(folder, MODULE), result)
        return 0
    except JobInterrupted:
        return EXIT_INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        if not error_path(folder, MODULE).exists():
            write_json(error_path(folder, MODULE), as_training_error(error).as_dict())
        return EXIT_FAILED


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
