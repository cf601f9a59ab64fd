"""The trainer as it runs: its own process, gRPC, a real QLoRA of a tiny model, and kill -9 in the middle of it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from lorag.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from lorag.trainer.v1 import trainer_pb2 as pb
from lorag.trainer.v1 import trainer_pb2_grpc
from tests.integration.tiny_training import CHATML, EXAMPLES, make_base

CHILD = "lorag_trainer.train_job"
CHECKPOINT_STEPS = 10
QUICK = {"max_steps": 4, "batch_size": 2, "gradient_accumulation": 1, "r": 4, "heldout_fraction": 0.2}
LONG = {"max_steps": 60, "batch_size": 2, "gradient_accumulation": 4, "r": 4, "checkpoint_steps": CHECKPOINT_STEPS}


class Service:
    """One data folder and the trainer process that serves it, one life after another."""

    def __init__(self, data: Path, models: Path) -> None:
        self.data, self.models = data, models
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def start(self) -> None:
        env = os.environ | {
            "LORAG_DATA": str(self.data),
            "LORAG_PORT": str(self.port),
            "LORAG_MODEL_ROOTS": str(self.models),
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.log = (self.data.parent / "service.log").open("ab")
        self.process = subprocess.Popen([sys.executable, "-m", "lorag_trainer"], env=env, stderr=self.log)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        grpc.channel_ready_future(self.channel).result(timeout=60)
        self.trainer = trainer_pb2_grpc.TrainerServiceStub(self.channel)
        self.jobs = jobs_pb2_grpc.JobServiceStub(self.channel)

    def end(self, sig: int = signal.SIGTERM) -> int:
        self.channel.close()
        self.process.send_signal(sig)
        status = self.process.wait(60)
        self.log.close()
        return status

    def upload(self, examples: list[dict[str, Any]]) -> pb.Dataset:
        payload = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in examples).encode()
        meta = pb.UploadDatasetMetadata(name="e.jsonl", size=len(payload), sha256=hashlib.sha256(payload).hexdigest())
        parts = [pb.UploadDatasetRequest(chunk=payload[i : i + 1000]) for i in range(0, len(payload), 1000)]
        return self.trainer.UploadDataset(iter([pb.UploadDatasetRequest(metadata=meta), *parts]), timeout=30).dataset

    def train(self, dataset: str, settings: dict[str, Any], request_id: str = "", base: str = "tiny") -> jobs_pb2.Job:
        request = pb.StartTrainingRequest(
            base_model=base, dataset_id=dataset, settings=pb.TrainingSettings(**settings), request_id=request_id
        )
        return self.trainer.StartTraining(request, timeout=30).job

    def watch(self, job_id: str) -> jobs_pb2.Job:
        for message in self.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job_id), timeout=120):
            last = message.job
        return last

    def until(self, job_id: str, ready: Callable[[jobs_pb2.Job], bool]) -> None:
        for message in self.jobs.WatchJob(jobs_pb2.WatchJobRequest(id=job_id), timeout=120):
            if ready(message.job):
                return
        raise AssertionError(f"the job ended before: {message.job}")

    def children(self) -> list[int]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            line = process.info["cmdline"] or []
            if CHILD in line and str(self.data) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.info["pid"])
        return found

    def steps(self, job_id: str) -> list[int]:
        lines = (self.data / "jobs" / job_id / "events.jsonl").read_text(encoding="utf-8").splitlines()
        taken = (int(e["completed"]) for e in map(json.loads, lines) if e["stage"] == "training")
        # An evaluation reports its step a second time.
        return [step for step, _ in itertools.groupby(taken)]


def at_step(n: int) -> Callable[[jobs_pb2.Job], bool]:
    return lambda job: job.progress.stage == "training" and job.progress.completed >= n


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    make_base(root / "tiny")
    return root


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Service]:
    service = Service(tmp_path / "data", models)
    service.data.mkdir()
    service.start()
    yield service
    assert service.end() == 0
    assert service.children() == []


def reason(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    return str(dict(error.value.trailing_metadata())["grpc-status-details-bin"])


def test_examples_become_an_adapter(service: Service, models: Path) -> None:
    dataset = service.upload(EXAMPLES)
    assert (dataset.example_count, dataset.format) == (20, "chat")
    assert service.upload(EXAMPLES) == dataset
    settings = pb.TrainingSettings(**QUICK)
    request = pb.EstimateTrainingRequest(base_model="tiny", dataset_id=dataset.id, settings=settings)
    estimate = service.trainer.EstimateTraining(request)
    assert (estimate.device, estimate.steps, estimate.fits) == ("cpu", 4, True)

    job = service.train(dataset.id, QUICK, "once")
    assert service.train(dataset.id, QUICK, "once").id == job.id
    with pytest.raises(grpc.RpcError) as reused:
        service.train(dataset.id, {**QUICK, "r": 8}, "once")
    assert "REQUEST_ID_REUSED" in reason(reused)
    done = service.watch(job.id)

    assert done.state == jobs_pb2.JOB_STATE_SUCCEEDED, done
    assert service.steps(job.id) == [1, 2, 3, 4]
    [adapter] = service.trainer.ListAdapters(pb.ListAdaptersRequest()).adapters
    assert (adapter.base_model, adapter.dataset_id) == ("tiny", dataset.id)
    [artifact] = done.artifacts
    assert artifact.uri == f"{adapter.uri}/adapter_model.safetensors"
    folder = service.data / adapter.uri
    assert hashlib.sha256((service.data / artifact.uri).read_bytes()).hexdigest() == artifact.sha256
    card = json.loads((folder / "training.json").read_text())
    assert (card["steps"], card["device"], card["settings"]["use_qlora"]) == (4, "cpu", True)
    assert 0 < card["final_loss"] < 20
    assert 0 < card["heldout_loss"] < 20
    held = [json.loads(line) for line in (folder / "heldout.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(held) == 4
    assert all(h in EXAMPLES for h in held)
    assert (folder / "chat_template.jinja").read_text() == CHATML
    assert (folder / "tokenizer.json").read_bytes() == (models / "tiny" / "tokenizer.json").read_bytes()
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
    assert not (service.data / "jobs" / job.id / "checkpoints").exists()
    the_adapter_changes_the_base(models / "tiny", folder)
    shown = service.trainer.GetAdapter(pb.GetAdapterRequest(uri=adapter.uri))
    assert [step.step for step in shown.steps] == [1, 2, 3, 4]
    assert {"loss", "learning_rate", "grad_norm", "tokens_per_second", "memory_bytes"} <= set(shown.steps[0].metrics)
    assert "eval_loss" in shown.steps[-1].metrics
    assert (shown.adapter.settings.r, shown.adapter.steps, shown.adapter.dataset_name) == (4, 4, "e.jsonl")
    service.trainer.DeleteAdapter(pb.DeleteAdapterRequest(uri=adapter.uri))
    assert service.trainer.ListAdapters(pb.ListAdaptersRequest()).adapters == []
    service.trainer.DeleteDataset(pb.DeleteDatasetRequest(id=dataset.id))
    with pytest.raises(grpc.RpcError) as gone:
        service.trainer.GetDataset(pb.GetDatasetRequest(id=dataset.id))
    assert "DATASET_NOT_FOUND" in reason(gone)


def the_adapter_changes_the_base(base: Path, folder: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[5, 6, 7]])
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        before = model(ids).logits
        after = PeftModel.from_pretrained(model, folder)(ids).logits
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)


def test_what_cannot_be_trained_is_refused(service: Service) -> None:
    dataset = service.upload(EXAMPLES)

    for base, data, settings, expected in [
        ("missing", dataset.id, QUICK, "BASE_MODEL_NOT_FOUND"),
        ("tiny", "0" * 64, QUICK, "DATASET_NOT_FOUND"),
        ("tiny", dataset.id, {"r": 0}, "INVALID_FIELD"),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            service.train(data, settings, base=base)
        assert expected in reason(refused)
    partly = service.upload([*EXAMPLES, {"other": 1}])
    assert [(r.line, r.problem[:11]) for r in partly.refused] == [(21, "'messages' ")]
    with pytest.raises(grpc.RpcError) as malformed:
        service.train(partly.id, QUICK)
    assert "DATASET_MALFORMED" in reason(malformed)
    assert "Line 21" in malformed.value.details()
    too_long = service.watch(service.train(dataset.id, {**QUICK, "max_length": 40}).id)

    assert too_long.state == jobs_pb2.JOB_STATE_FAILED
    assert too_long.error.reason == "EXAMPLE_TOO_LONG"
    assert service.trainer.ListAdapters(pb.ListAdaptersRequest()).adapters == []


def test_a_preview_shows_what_the_model_will_see(service: Service) -> None:
    dataset = service.upload(EXAMPLES)

    found = service.trainer.PreviewTraining(
        pb.PreviewTrainingRequest(base_model="tiny", dataset_id=dataset.id, example_count=2), timeout=60
    )

    assert (len(found.examples), found.sequence_count, found.template) == (2, 20, "base")
    shown = found.examples[0].tokens
    assert "".join(t.text for t in shown[: [t.learned for t in shown].index(True)]).endswith("assistant\n")
    assert shown[-2].text == "<|im_end|>"
    assert shown[-2].learned
    assert found.learned_answer_share == 1.0
    assert sum(bucket.count for bucket in found.lengths) == 20


def test_kill_9_of_child_and_service_costs_at_most_one_interval(service: Service) -> None:
    most, stop = [0], threading.Event()

    def count_children() -> None:
        while not stop.is_set():
            most[0] = max(most[0], len(service.children()))
            stop.wait(0.1)

    counter = threading.Thread(target=count_children)
    counter.start()
    try:
        job = service.train(service.upload(EXAMPLES).id, LONG, "r")
        service.until(job.id, at_step(13))
        os.kill(service.children()[0], signal.SIGKILL)
        killed_at = [service.steps(job.id)[-1]]
        service.until(job.id, at_step(killed_at[0] + 14))
        service.end(signal.SIGKILL)
        killed_at.append(service.steps(job.id)[-1])
        service.start()
        done = service.watch(job.id)
    finally:
        stop.set()
        counter.join()

    assert done.state == jobs_pb2.JOB_STATE_SUCCEEDED, done
    assert most == [1]
    steps = service.steps(job.id)
    back = [(a, b) for a, b in itertools.pairwise(steps) if b != a + 1]
    assert len(back) <= 2
    assert all(0 <= a - b < CHECKPOINT_STEPS for a, b in back), back
    assert all(at >= CHECKPOINT_STEPS for at in killed_at)
    assert steps[-1] == 60
    assert len(service.trainer.ListAdapters(pb.ListAdaptersRequest()).adapters) == 1


def test_a_cancelled_training_stops_and_one_that_is_drained_goes_on(service: Service) -> None:
    dataset = service.upload(EXAMPLES)
    cancelled = service.train(dataset.id, {**LONG, "max_steps": 5000})
    service.until(cancelled.id, at_step(3))
    asked = time.monotonic()
    service.jobs.CancelJob(jobs_pb2.CancelJobRequest(id=cancelled.id))
    assert service.watch(cancelled.id).state == jobs_pb2.JOB_STATE_CANCELLED
    while service.children():
        assert time.monotonic() < asked + 5
        time.sleep(0.1)

    drained = service.train(dataset.id, LONG)
    service.until(drained.id, at_step(3))
    assert service.end() == 0
    assert service.steps(drained.id)[-1] < 60
    service.start()

    assert service.watch(drained.id).state == jobs_pb2.JOB_STATE_SUCCEEDED
    # SIGTERM gave it time for a checkpoint, so nothing at all is repeated.
    assert service.steps(drained.id) == list(range(1, 61))
