"""`lorag up`, as a user has it: the whole chain over HTTP alone, gRPC by reflection, kill -9, and a clean stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import pytest
from safetensors.torch import load_file, save_file
from stack import Up, running

from lorag_demo.documents import write_documents
from lorag_demo.examples import DEMO_TRAINING, write_examples

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "tests" / "data" / "handbook_ja.pdf"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up")) as found:
        yield found


def problem(answer: dict[str, Any], reason: str) -> None:
    assert answer["reason"] == reason, answer
    assert answer["detail"] and answer["remedy"]
    assert "Traceback" not in json.dumps(answer)


def test_bad_input_is_named_with_its_cure_and_changes_nothing(up: Up, tmp_path: Path) -> None:
    files = {
        "empty.jsonl": (b"", "DATASET_EMPTY"),
        "malformed.jsonl": (b'\n{"prompt": \n', "DATASET_MALFORMED"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        answer = up.upload("/datasets", tmp_path / name, status=400)
        problem(answer, reason)
    assert "line 2" in answer["detail"].lower()
    (tmp_path / "not.pdf").write_bytes(b"hello")
    write_examples(tmp_path / "examples.jsonl", 8)
    dataset = up.upload("/datasets", tmp_path / "examples.jsonl")["dataset"]["id"]
    problem(up.post("/trainings", {"base_model": "no-such-model", "dataset_id": dataset}, 404), "BASE_MODEL_NOT_FOUND")
    problem(up.post("/trainings", {"base_model": "tiny_base", "dataset_id": "0" * 64}, 404), "DATASET_NOT_FOUND")
    problem(up.post("/conversions", {"model": "m"}, 404), "ADAPTER_NOT_FOUND")
    problem(up.post("/answers", {"question": "何ですか。"}, 409), "NO_ACTIVE_RELEASE")
    problem(up.post("/search", {"query": "何ですか。"}, 409), "INDEX_EMPTY")
    for unknown in ("trainer-0", "gateway-0", "nobody-0"):
        problem(up.http.get(f"/jobs/{unknown}").json(), "JOB_NOT_FOUND")
    assert not list(up.data.glob("outputs/*")) + list(up.data.glob("releases/*")) + list(up.data.glob("documents/*"))
    assert len(list(up.data.glob("datasets/*"))) == 1


def test_a_quantized_base_is_refused_with_absmax_and_cure(up: Up) -> None:
    folder = up.models / "four-bit"
    folder.mkdir()
    base = ROOT / "demo" / "tiny_base"
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.down_proj.weight"
    save_file(tensors | {f"{name}.absmax": tensors[name][0].clone()}, folder / "model.safetensors")
    answer = up.post("/conversions", {"model": "m", "base_model": "four-bit", "base_only": True}, 409)
    problem(answer, "BASE_MODEL_QUANTIZED")
    assert f"{name}.absmax" in answer["detail"]


def test_the_whole_pipeline_over_http_alone_cites_the_right_page(up: Up, tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.jsonl")
    dataset = up.upload("/datasets", tmp_path / "examples.jsonl")["dataset"]["id"]
    body = {"model": "chain", "base_model": "tiny_base", "dataset_id": dataset, "settings": DEMO_TRAINING}
    job = up.ended(up.post("/pipelines", body)["job"])
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    (adapter,) = up.data.glob("outputs/lora_*/final_lora_model/adapter_model.safetensors")
    assert not list(adapter.parent.glob("model*.safetensors")), "no merged model is written"
    release = json.loads((up.data / "releases/chain/v1/release.json").read_text())
    assert (release["quantization"], release["parity"]["equal"]) == ("Q4_K_M", True)
    assert (up.data / "releases/chain/v1/Modelfile").read_text().startswith("FROM ./model.gguf\n")
    assert "model: chain:v1" in (up.data / "config/rag_config.yaml").read_text()

    indexed = up.ended(up.upload("/documents", HANDBOOK)["job"])
    assert indexed["state"] == "JOB_STATE_SUCCEEDED", indexed
    text, sources, end = up.ask("地震のときの集合場所はどこですか。")
    assert "第二駐車場の東側" in text
    cited = [s for s in sources if s["number"] in end["cited"]]
    assert {s["document_name"] for s in cited} == {HANDBOOK.name}
    assert {s["page"] for s in cited} == {page_of("地震のときの集合場所")}
    assert end["prompt_tokens"] == end["evaluated_tokens"]


def page_of(words: str) -> int:
    """The page that really holds these words, read by another program."""
    import pypdfium2

    document = pypdfium2.PdfDocument(str(HANDBOOK))
    return next(
        n for n, p in enumerate(document, 1) if words in p.get_textpage().get_text_bounded().replace("\r\n", "")
    )


def test_the_ollama_client_works_against_the_runtime(up: Up) -> None:
    client = ollama.Client(up.model_server)
    assert {"chain:v1", "chain:latest"} <= {m.model for m in client.list().models}
    assert client.show("chain").details is not None
    assert client.chat("chain", [{"role": "user", "content": "a"}], options={"num_predict": 4}).done
    assert len(client.embed("chain", "青森").embeddings[0]) == 256


def test_every_service_answers_by_reflection(up: Up) -> None:
    calls = {
        "trainer": "lorag.trainer.v1.TrainerService/ListDatasets",
        "converter": "lorag.converter.v1.ConverterService/ListReleases",
        "indexer": "lorag.indexer.v1.IndexerService/ListDocuments",
        "qa": "lorag.qa.v1.QaService/GetConfig",
    }
    buf = [
        str(Path(sys.executable).parent / "buf"),
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        "--reflect",
    ]
    for name, method in calls.items():
        address = f"http://127.0.0.1:{up.ports[name]}"
        listed = subprocess.run([*buf, "--list-services", address], capture_output=True, text=True, check=True).stdout
        assert {method.partition("/")[0], "lorag.jobs.v1.JobService", "grpc.health.v1.Health"} <= set(listed.split())
        for called in (method, "lorag.jobs.v1.JobService/ListJobs"):
            done = subprocess.run([*buf, f"{address}/{called}"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_killed_services_come_back_and_their_jobs_succeed_once(up: Up, tmp_path: Path) -> None:
    up.ended(up.upload("/documents", HANDBOOK)["job"])
    conversion = up.post("/conversions", {"model": "killed", "base_model": "tiny_base", "base_only": True})["job"]
    documents = [up.upload("/documents", pdf)["job"] for pdf in write_documents(tmp_path, edition=0)]
    for service in [up.service(name) for name in ("converter", "indexer")]:
        service.send_signal(signal.SIGKILL)
    for job in (conversion, *documents):
        assert up.ended(job)["state"] == "JOB_STATE_SUCCEEDED"
    assert (up.data / "releases/killed/v1/release.json").exists()
    assert [p.name for p in (up.data / "releases/killed").iterdir()] == ["v1"]
    found = up.post("/search", {"query": "北沢会議室の定員", "top_k": 50})["hits"]
    places = [(h["document_name"], h["page"], h["span_start"]) for h in found]
    assert len(places) == len(set(places)), "a chunk is there twice"
    up.wait_healthy()


def test_activation_is_felt_by_the_next_question_and_rolled_back(up: Up) -> None:
    up.ended(up.post("/releases/killed:v1:publish", {})["job"])
    assert up.post("/releases/killed:v1:activate", {})["config"]["model"] == "killed:v1"
    assert up.ask("地震のときの集合場所はどこですか。")[2]["model"] == "killed:v1"
    assert up.post("/releases:rollback", {})["config"]["model"] == "chain:v1"
    assert up.ask("地震のときの集合場所はどこですか。")[2]["model"] == "chain:v1"


def test_a_dead_model_server_is_named_with_its_cure(up: Up) -> None:
    up.http.patch("/config", json={"base_url": "http://127.0.0.1:9"}).raise_for_status()
    try:
        answer = up.post("/releases/chain:v1:publish", {}, 503)
        problem(answer, "MODEL_SERVER_UNAVAILABLE")
        assert "ollama serve" in answer["remedy"]
    finally:
        up.http.patch("/config", json={"base_url": up.model_server}).raise_for_status()
