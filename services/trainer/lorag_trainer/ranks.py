"""Where a training runs: in this process, or in one process a GPU, started by `accelerate launch`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorag_common.child import ChildJob, JobInterrupted, error_path, result_path
from lorag_common.errors import LoragError, Reason

MODULE = "lorag_trainer.rank"
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Ranks:
    """The processes of one training.

    Attributes:
        world: how many.
        strategy: single, ddp or fsdp.
        device: cuda or cpu.
    """

    world: int
    strategy: str
    device: str

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of the base only."""
        return self.strategy == "fsdp"

    def describe(self) -> str:
        """For a person."""
        return self.device if self.world == 1 else f"{self.world} x {self.device} ({self.strategy})"

    @classmethod
    def here(cls) -> Ranks:
        """Those that this process is one of, as `command` told it."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        return cls(world, os.environ["LORAG_RANKS_STRATEGY"], os.environ["LORAG_RANKS_DEVICE"])

    def command(self, folder: Path, data: Path) -> list[str]:
        """The command line that starts them: `accelerate launch` with all that it would else ask a config file for."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        options = [
            "--num_processes",
            str(self.world),
            "--num_machines",
            "1",
            "--machine_rank",
            "0",
            "--main_process_ip",
            "127.0.0.1",
            "--main_process_port",
            str(port),
            "--dynamo_backend",
            "no",
            "--mixed_precision",
            "no" if self.device == "cpu" else "bf16",
        ]
        # "multi_gpu" means torchrun; whether there is a GPU is told by the environment.
        options += FSDP_OPTIONS if self.sharded else ["--multi_gpu"]
        launch = [sys.executable, "-m", "accelerate.commands.launch", *options]
        return [*launch, "-m", MODULE, str(folder), str(data)]


FSDP_OPTIONS: Sequence[str] = (
    "--use_fsdp",
    "--fsdp_version",
    "2",
    "--fsdp_reshard_after_forward",
    "true",
    "--fsdp_auto_wrap_policy",
    "TRANSFORMER_BASED_WRAP",
    "--fsdp_state_dict_type",
    "FULL_STATE_DICT",
    "--fsdp_cpu_ram_efficient_loading",
    "false",
)


def run_ranks(job: ChildJob, ranks: Ranks) -> dict[str, Any]:
    """Start the ranks and wait for them.

    They end with this process: they hold its standard input, whose end is the end of the service. The launcher inherits
    the job's lock, so that a second child of the job waits until the last rank is gone.

    Raises:
        JobInterrupted: the job was asked to stop.
        LoragError: what a rank failed by.
    """
    finished, failed = result_path(job.folder, MODULE), error_path(job.folder, MODULE)
    finished.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    env = os.environ | {"LORAG_RANKS_STRATEGY": ranks.strategy, "LORAG_RANKS_DEVICE": ranks.device}
    if ranks.device == "cpu":
        env["ACCELERATE_USE_CPU"] = "true"
    process = subprocess.Popen(ranks.command(job.folder, job.data), env=env, pass_fds=[job.lock_fd])
    asked = False
    while True:
        try:
            status = process.wait(POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if job.stop_requested() and not asked:
                asked = True
                (job.folder / "stop").touch()
            if job.cancelled():
                process.send_signal(signal.SIGTERM)
    (job.folder / "stop").unlink(missing_ok=True)
    if job.stop_requested() and not finished.exists():
        raise JobInterrupted
    if finished.exists():
        return dict(json.loads(finished.read_text(encoding="utf-8")))
    if failed.exists():
        raise LoragError.from_dict(json.loads(failed.read_text(encoding="utf-8")))
    raise LoragError(Reason.JOB_FAILED, f"The training's processes ended with status {status}.")
