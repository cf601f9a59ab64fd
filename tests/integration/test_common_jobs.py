"""The life of a job, through kill -9 of its child and of its service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def host(data: Path, *actions: str) -> list[dict[str, Any]]:
    """Run one life of the service; returns what it printed."""
    env = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, str(HERE / "job_host.py"), str(data), *actions]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode in (0, -9), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def counts(data: Path) -> list[tuple[int, int]]:
    """(count, pid of the child) of every report of the only job, in order."""
    (events,) = data.glob("jobs/*/events.jsonl")
    reports = [json.loads(line) for line in events.read_text().splitlines()]
    return [(int(r["completed"]), int(r["metrics"]["pid"])) for r in reports if r["stage"] == "counting"]


def test_succeeds_and_is_the_same_job_when_asked_twice(tmp_path: Path) -> None:
    printed = host(tmp_path, 'start=r1:{"limit": 3}', 'start=r1:{"limit": 3}', 'start=r1:{"limit": 4}', "wait", "close")
    refused, done, _ = printed
    assert refused["reason"] == "REQUEST_ID_REUSED"
    assert done["state"] == "SUCCEEDED"
    assert [c for c, _ in counts(tmp_path)] == [1, 2, 3]


def test_killed_child_goes_on_where_it_was(tmp_path: Path) -> None:
    (done, _) = host(tmp_path, "start=r1", "until=20", "kill-child", "wait", "close")
    assert done["state"] == "SUCCEEDED"
    assert [c for c, _ in counts(tmp_path)] == list(range(1, 61))
    assert len({pid for _, pid in counts(tmp_path)}) == 2


def test_killed_service_resumes_and_never_runs_two_children(tmp_path: Path) -> None:
    host(tmp_path, "start=r1", "until=20", "die")
    (done, _) = host(tmp_path, "start=r1", "wait", "close")
    assert done["state"] == "SUCCEEDED"
    seen = counts(tmp_path)
    assert [c for c, _ in seen] == list(range(1, 61))
    pids = [pid for _, pid in seen]
    assert pids == sorted(pids, key=pids.index)
    assert len(set(pids)) == 2


def test_closed_service_lets_the_child_checkpoint_and_resumes(tmp_path: Path) -> None:
    assert host(tmp_path, "start=r1", "until=20", "close") == [{"closed": True}]
    (done, _) = host(tmp_path, "start=r1", "wait", "close")
    assert (done["state"], done["count"]) == ("SUCCEEDED", 60)
    assert [c for c, _ in counts(tmp_path)] == list(range(1, 61))


def test_cancelled_job_stops(tmp_path: Path) -> None:
    (done, _) = host(tmp_path, "start=r1", "until=10", "cancel", "wait", "close")
    assert done["state"] == "CANCELLED"
    assert counts(tmp_path)[-1][0] < 60


def test_errors_reach_the_job_by_the_table(tmp_path: Path) -> None:
    (done, _) = host(tmp_path, 'start=r1:{"limit": 20, "fail_at": 10}', "wait", "close")
    assert done["state"] == "FAILED"
    assert (done["error"]["reason"], done["error"]["message"]) == ("WEIGHT_INVALID", "The tenth is broken.")
    assert done["error"]["remedy"]


def test_a_child_killed_again_and_again_fails_the_job_and_not_the_service(tmp_path: Path) -> None:
    always = 'start=r1:{"limit": 1, "always_killed": true}'
    failed, succeeded, _ = host(tmp_path, always, 'start=r2:{"limit": 2}', "wait", "close")
    assert (failed["state"], failed["error"]["reason"]) == ("FAILED", "OUT_OF_MEMORY")
    assert "SIGKILL" in failed["error"]["message"]
    assert succeeded["state"] == "SUCCEEDED"


def test_one_at_a_time_also_after_a_restart(tmp_path: Path) -> None:
    host(tmp_path, "start=r1", "start=r2", "until=0", "die")
    first, second, _ = host(tmp_path, "start=r1", "start=r2", "wait", "close")
    assert {first["state"], second["state"]} == {"SUCCEEDED"}
    spans = []
    for events in tmp_path.glob("jobs/*/events.jsonl"):
        times = [json.loads(line)["time"] for line in events.read_text().splitlines() if "counting" in line]
        spans.append((times[0], times[-1]))
    (_, first_end), (second_start, _) = sorted(spans)
    assert first_end < second_start
