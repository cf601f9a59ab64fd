"""The GPU lock: who holds it is known, and a killed holder lets go of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from lorag_common.gpu import gpu_held, gpu_holder

HOLDER = """
import sys
from pathlib import Path
from lorag_common.gpu import gpu_held
with gpu_held(Path(sys.argv[1]), "trainer-2"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_holder_is_named_while_it_holds(tmp_path: Path) -> None:
    assert gpu_holder(tmp_path) is None
    with gpu_held(tmp_path, "trainer-1"):
        assert gpu_holder(tmp_path) == "trainer-1"
    assert gpu_holder(tmp_path) is None


def test_kill_9_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert gpu_holder(tmp_path) == "trainer-2"

        process.send_signal(signal.SIGKILL)
        process.wait()

        assert gpu_holder(tmp_path) is None
