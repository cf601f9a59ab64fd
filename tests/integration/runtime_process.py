"""The embedded model server as a process that a test may kill and start again at the same address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lorag_common.model_server import ModelServer


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class RuntimeProcess:
    """One runtime over a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # The store is named: what the test itself runs finds it too.
        env = os.environ | {"LORAG_PORT": str(self.port), "LORAG_DATA": str(self.folder), "LORAG_RUNTIME_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-m", "lorag_runtime"], env=env, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not ModelServer(self.url).reachable():
            assert process.poll() is None, "the runtime ended"
            assert time.monotonic() < deadline, "the runtime did not start"
            time.sleep(0.05)
        return process

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def start(self) -> None:
        """Start it again, at the same address over the same store."""
        self.process = self._spawn()

    def stop(self) -> None:
        """SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
