"""The release gate over the whole stack: a worse release does not answer, a better one does, and there is a way back."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from stack import Up

from lorag_demo.documents import demo_questions
from lorag_demo.examples import DEMO_TRAINING, chat_examples

QUESTIONS = [q for q in demo_questions() if q.language == "ja"][:4] + [
    q for q in demo_questions() if q.language == "en"
][:4]


@pytest.fixture
def up(ready_up: Up) -> Up:
    ready_up.post("/releases/edge:v1:activate", {"force": True})
    return ready_up


def answers(up: Up) -> list[str]:
    return [up.ask(question.text)[0] for question in QUESTIONS]


def right(found: list[str]) -> int:
    return sum(question.value in text for question, text in zip(QUESTIONS, found, strict=True))


def active(up: Up) -> str:
    return str(up.http.get("/config").json()["config"]["model"])


def shuffled_examples(path: Path) -> None:
    """The demo's examples, each with the answer of another one of its language."""
    examples = chat_examples()
    chance = random.Random(7)
    for parity in (0, 1):
        mine = examples[parity::2]
        said = [example["messages"][-1]["content"] for example in mine]
        chance.shuffle(said)
        for example, answer in zip(mine, said, strict=True):
            example["messages"][-1]["content"] = answer
    path.write_text("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in examples), encoding="utf-8")


def test_a_worse_adapter_is_refused_a_better_one_is_activated_and_rollback_restores_the_answers(
    up: Up, tmp_path: Path
) -> None:
    good = answers(up)
    assert right(good) >= 6

    # Trained in earnest, on answers that belong to other questions.
    shuffled_examples(tmp_path / "shuffled.jsonl")
    dataset = up.upload("/datasets", tmp_path / "shuffled.jsonl")["dataset"]["id"]
    body = {"model": "worse", "base_model": "tiny_base", "dataset_id": dataset, "settings": DEMO_TRAINING}
    job = up.ended(up.post("/pipelines", body)["job"], 600)
    assert job["state"] == "JOB_STATE_FAILED", job
    assert job["error"]["reason"] == "RELEASE_WORSE" and job["error"]["remedy"]
    found = up.http.get("/releases/worse:v1/evaluation").json()["evaluation"]
    assert (found["verdict"], found["baseline"], found["generated"]) == ("VERDICT_WORSE", "edge:v1", True)
    assert found["question_count"] == 24 and found["unanswerable_count"] == 6
    assert min(d["high"] for d in found["differences"]) < 0, "an interval lies wholly below"
    assert found["candidate"]["correctness"] < found["current"]["correctness"]
    assert json.loads((up.data / "releases/worse/v1/evaluation.json").read_text())["verdict"] == "WORSE"
    assert active(up) == "edge:v1"
    assert answers(up) == good

    # Told to, it answers, and badly; one call brings the previous answers back.
    refused = up.post("/releases/worse:v1:activate", {}, 409)
    assert refused["reason"] == "RELEASE_WORSE"
    up.post("/releases/worse:v1:activate", {"force": True})
    assert right(answers(up)) < right(good) / 2
    assert up.post("/releases:rollback", {})["config"]["model"] == "edge:v1"
    assert answers(up) == good

    # Where the worse one answers, the better one passes the same gate; and from there too leads a way back.
    up.post("/releases/worse:v1:activate", {"force": True})
    job = up.ended(up.post("/pipelines", {"release_id": "edge:v1"})["job"], 600)
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    found = up.http.get("/releases/edge:v1/evaluation").json()["evaluation"]
    assert (found["verdict"], found["baseline"]) == ("VERDICT_BETTER", "worse:v1")
    assert active(up) == "edge:v1"
    assert answers(up) == good
    assert up.post("/releases:rollback", {})["config"]["model"] == "worse:v1"
    # Not word for word: this one also repeats digits of the delimiters, which are new for every question.
    assert right(answers(up)) < right(good) / 2


def events(up: Up, job: dict[str, Any]) -> list[dict[str, Any]]:
    path = up.data / "jobs" / job["id"] / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_killing_the_model_server_mid_gate_is_a_clear_state_and_the_job_finishes_once_it_is_back(up: Up) -> None:
    job = up.post("/releases/edge:v1:evaluate", {"baseline": "edge:latest", "question_count": 8})["job"]
    deadline = time.monotonic() + 120
    killed = 0
    while not (waiting := [e for e in events(up, job) if e["stage"] == "waiting"]):
        assert time.monotonic() < deadline
        if [e for e in events(up, job) if e["stage"] == "asking" and e["completed"] >= 2]:
            try:
                # It is started again within a second, which a question may outlast; so as often as it comes back.
                up.service("runtime").send_signal(signal.SIGKILL)
                killed += 1
            except (AssertionError, psutil.NoSuchProcess):
                pass
        time.sleep(0.05)
    assert killed
    assert up.model_server in waiting[0]["message"] and "ollama serve" in waiting[0]["message"]
    assert up.ended(job)["state"] == "JOB_STATE_SUCCEEDED"
    for n in (0, 1):
        kept = (up.data / "jobs" / job["id"] / f"answers-{n}.jsonl").read_text().splitlines()
        assert len(kept) == 8, "every question was answered once by each"
    up.wait_healthy()
