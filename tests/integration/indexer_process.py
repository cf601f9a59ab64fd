"""The indexer as it runs: its own process on a port of its own, spoken to over gRPC; one data folder, several lives."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag.indexer.v1 import indexer_pb2_grpc
from lorag.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from lorag_common.errors import LoragError
from lorag_common.rpc_errors import from_rpc

CHILD = "lorag_indexer.extract_job"
FINAL = {jobs_pb2.JOB_STATE_SUCCEEDED, jobs_pb2.JOB_STATE_FAILED, jobs_pb2.JOB_STATE_CANCELLED}
SECONDS = 60.0


class IndexerProcess:
    """Start, kill and speak to an indexer."""

    def __init__(self, data: Path, ollama_url: str, **settings: str) -> None:
        self.data = data
        self._env = {"LORAG_OLLAMA_URL": ollama_url, "LORAG_OCR": "off", **settings}
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self._port = s.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        env = os.environ | {"LORAG_DATA": str(self.data), "LORAG_PORT": str(self._port)} | self._env | settings
        with (self.data / "service.log").open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "lorag_indexer"], env=env, stderr=log)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._port}")
        grpc.channel_ready_future(self._channel).result(SECONDS)
        self.api: Any = indexer_pb2_grpc.IndexerServiceStub(self._channel)
        self.jobs: Any = jobs_pb2_grpc.JobServiceStub(self._channel)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def memory(self) -> float:
        """Resident memory of the service alone, in MiB."""
        return psutil.Process(self.pid).memory_info().rss / 2**20

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def stop(self) -> int:
        assert self._process is not None
        self._channel.close()
        self._process.terminate()
        return self._process.wait(SECONDS)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def restart(self, **settings: str) -> None:
        assert self.stop() == 0
        self.start(**settings)

    def call(self, method: str, request: Any) -> Any:
        """One call; our services' errors come back as what they were."""
        try:
            return getattr(self.api, method)(request, timeout=SECONDS)
        except grpc.RpcError as error:
            raise from_rpc(error, "indexer") from error  # type: ignore[arg-type]

    def upload(self, pdf: Path, name: str = "") -> Any:
        content = pdf.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()

        def messages() -> Iterator[pb.UploadDocumentRequest]:
            meta = pb.UploadDocumentMetadata(name=name or pdf.name, size=len(content), sha256=sha256)
            yield pb.UploadDocumentRequest(metadata=meta)
            for begin in range(0, len(content), 1 << 18):
                yield pb.UploadDocumentRequest(chunk=content[begin : begin + (1 << 18)])

        return self.call("UploadDocument", messages())

    def ended(self, job_id: str) -> jobs_pb2.Job:
        last = jobs_pb2.Job()
        for update in self.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job_id), timeout=SECONDS):
            last = update.job
        assert last.state in FINAL
        return last

    def index(self, pdf: Path, name: str = "") -> str:
        """Upload, wait until it is indexed, return the document's id."""
        reply = self.upload(pdf, name)
        job = self.ended(reply.job.id)
        assert job.state == jobs_pb2.JOB_STATE_SUCCEEDED, job.error
        return str(reply.document.id)

    def search(self, query: str, **fields: Any) -> list[Any]:
        return list(self.call("Search", pb.SearchRequest(query=query, **fields)).hits)

    def documents(self) -> list[Any]:
        return list(self.call("ListDocuments", pb.ListDocumentsRequest()).documents)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(0.01)

    def children(self) -> list[psutil.Process]:
        found: list[tuple[psutil.Process, int]] = []
        for process in psutil.process_iter():
            try:
                line, parent = process.cmdline(), process.ppid()
            except psutil.Error:
                continue
            if CHILD in line and str(self.data) in line:
                found.append((process, parent))
        # The process that reads the pages is a fork of the child and goes with it.
        pids = {process.pid for process, _ in found}
        return [process for process, parent in found if parent not in pids]

    def kill_child(self) -> None:
        pids = [p.pid for p in self.children()]
        assert len(pids) == 1
        os.kill(pids[0], signal.SIGKILL)


def reason_of(call: Callable[[], Any]) -> str:
    """Reason of the error that a call must end by."""
    try:
        call()
    except LoragError as error:
        assert error.remedy
        return str(error.reason)
    raise AssertionError("no error came")
