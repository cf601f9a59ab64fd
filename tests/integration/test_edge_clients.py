"""Programs that know nothing of LoRAG: the real `openai` and `ollama` clients, and curl as the README has it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import ollama
import openai
import pytest
from stack import ROOT, Up

from lorag_demo.documents import demo_questions

QUESTION = next(q for q in demo_questions() if q.language == "ja")


@pytest.fixture(scope="module")
def client(ready_up: Up) -> openai.OpenAI:
    # Other tests of the shared stack may have switched to releases of their own.
    ready_up.post("/releases/edge:v1:activate", {"force": True})
    return openai.OpenAI(base_url=f"{ready_up.url}/v1", api_key="none", max_retries=0)


def test_models_are_listed_with_and_without_documents(client: openai.OpenAI) -> None:
    names = [m.id for m in client.models.list()]
    assert {"edge", "edge+docs", "edge:v1", "edge:v1+docs"} <= set(names)
    assert client.models.retrieve("edge:v1").owned_by == "lorag"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("nobody")
    assert error.value.code == "model_not_found"


def test_a_chat_goes_to_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="edge", messages=[{"role": "user", "content": "青森"}], max_tokens=8, temperature=0, seed=1
    )
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None and answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_with_docs_the_answer_comes_from_the_documents_and_cites_the_page(client: openai.OpenAI, ready_up: Up) -> None:
    answer = client.chat.completions.create(
        model="edge+docs", messages=[{"role": "user", "content": QUESTION.text}], temperature=0
    )
    message = answer.choices[0].message
    assert QUESTION.value in (message.content or "")
    (citation, *_) = [a.url_citation for a in message.annotations or []]
    assert citation.title == f"{QUESTION.document}, p. {QUESTION.page}"
    assert (message.content or "")[citation.start_index : citation.end_index].startswith("[")
    page = ready_up.http.get(citation.url)
    assert page.status_code == 200 and '<mark id="mark">' in page.text


def test_streams_carry_the_same_text_and_the_citations_last(client: openai.OpenAI) -> None:
    request = {"model": "edge+docs", "messages": [{"role": "user", "content": QUESTION.text}], "temperature": 0}
    chunks = list(client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert QUESTION.value in text
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 1, "it comes in pieces"
    last = [c for c in chunks if c.choices][-1]
    assert last.choices[0].finish_reason == "stop"
    assert last.choices[0].delta.model_extra["annotations"][0]["url_citation"]["title"].startswith(QUESTION.document)
    assert chunks[-1].usage.completion_tokens > 0
    plain = client.chat.completions.create(
        model="edge", messages=[{"role": "user", "content": "青森"}], max_tokens=8, stream=True
    )
    assert list(plain)[-1].choices[0].finish_reason in ("stop", "length")


def test_a_conversation_goes_on(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="edge:v1+docs",
        messages=[
            {"role": "system", "content": "簡潔に。"},
            {"role": "user", "content": "こんにちは。"},
            {"role": "assistant", "content": "こんにちは。"},
            {"role": "user", "content": [{"type": "text", "text": QUESTION.text}]},
        ],
        temperature=0,
    )
    assert answer.choices[0].message.content


def test_embeddings_are_the_same_in_both_encodings(client: openai.OpenAI) -> None:
    texts = ["青森", "The capital"]
    encoded = client.embeddings.create(model="edge", input=texts)  # this client asks for base64
    plain = client.embeddings.create(model="edge", input=texts, encoding_format="float")
    assert [len(d.embedding) for d in encoded.data] == [256, 256]
    for a, b in zip(encoded.data, plain.data, strict=True):
        assert a.embedding == pytest.approx(b.embedding, rel=1e-5, abs=1e-6)


def test_errors_are_that_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "a"}])
    assert error.value.code == "model_not_found" and "publish" in str(error.value).lower()
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="edge", messages=[{"role": "user", "content": "a"}], n=2)
    assert (bad.value.param, bad.value.type) == ("n", "invalid_request_error")
    asked = [{"role": "user", "content": QUESTION.text}]
    with pytest.raises(openai.NotFoundError):
        list(client.chat.completions.create(model="x+docs", messages=asked, stream=True))


def test_the_ollama_client_reaches_the_release(ready_up: Up) -> None:
    server = ollama.Client(ready_up.model_server)
    assert "edge:v1" in {m.model for m in server.list().models}
    assert server.chat("edge", [{"role": "user", "content": "青森"}], options={"num_predict": 4}).done


def curl_examples() -> list[str]:
    """The curl commands of the README's section on HTTP, backslashes joined."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Over HTTP") :]
    section = section[: section.index("\n## ", 5)]
    lines = re.sub(r"\\\n\s*", "", "\n".join(line[4:] for line in section.splitlines() if line.startswith("    ")))
    return [line for line in lines.splitlines() if line.startswith("curl ")]


def test_the_readmes_curl_examples_work(ready_up: Up, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    from lorag_demo.documents import write_documents
    from lorag_demo.examples import write_examples

    write_examples(tmp_path / "examples.jsonl", 8)
    (tmp_path / "manual.pdf").write_bytes(write_documents(tmp_path / "pdf")[0].read_bytes())
    examples = curl_examples()
    assert len(examples) >= 5
    for example in examples:
        command = example.replace("http://127.0.0.1:8050", ready_up.url).replace("my-model", "edge")
        command = command.replace("JOB_ID", ready_up.http.get("/jobs").json()["jobs"][0]["id"])
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, (example, done.stderr)
        assert done.stdout.strip(), example
        assert "urn:lorag:" not in done.stdout and '"error": {' not in done.stdout, (example, done.stdout)
    answers = [e for e in examples if "/answers" in e]
    assert answers, "the README shows how to ask"


def test_the_same_key_starts_one_pipeline_and_another_body_is_refused(ready_up: Up) -> None:
    body = {"release_id": "edge:v1", "evaluate": False, "activate": False}
    headers = {"Idempotency-Key": "once"}
    first = ready_up.http.post("/pipelines", json=body, headers=headers)
    second = ready_up.http.post("/pipelines", json=body, headers=headers)
    assert first.status_code == second.status_code == 202
    assert first.json()["job"]["id"] == second.json()["job"]["id"]
    refused = ready_up.http.post("/pipelines", json=body | {"activate": True}, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (400, "REQUEST_ID_REUSED")
    assert ready_up.ended(first.json()["job"])["state"] == "JOB_STATE_SUCCEEDED"


def test_documents_become_a_dataset_and_the_same_documents_the_same_one(ready_up: Up) -> None:
    documents = ready_up.http.get("/documents", params={"state": "ready"}).json()["documents"]
    made = [ready_up.post("/datasets:from-documents", {}, 201)["dataset"] for _ in range(2)]
    assert made[0]["id"] == made[1]["id"]
    assert (made[0]["format"], made[0]["refused_count"]) == ("text", 0)
    assert made[0]["example_count"] == len(documents)

    first = documents[0]
    text = ready_up.http.get(f"/documents/{first['id']}/text")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.text.count("\f") == first["page_count"] - 1
    one = ready_up.post("/datasets:from-documents", {"document_ids": [first["id"]], "name": "one.jsonl"}, 201)[
        "dataset"
    ]
    assert (one["name"], one["example_count"]) == ("one.jsonl", 1)
    body = {"base_model": "tiny_base", "dataset_id": one["id"]}
    shown = ready_up.post("/trainings:preview", body)["examples"][0]["tokens"]
    learned = "".join(t["text"] for t in shown if t["learned"])
    assert text.text.replace("\f", "\n").startswith(learned.removesuffix("<|im_end|>")[:50])

    missing = ready_up.http.post("/datasets:from-documents", json={"document_ids": ["nobody"]})
    assert (missing.status_code, missing.json()["reason"]) == (404, "DOCUMENT_NOT_FOUND")


def test_an_answer_that_lost_its_connection_goes_on_where_it_broke_off(ready_up: Up) -> None:
    body = {"question": QUESTION.text, "temperature": 0, "top_k": 3, "keep_seconds": 30}
    with ready_up.http.stream("POST", "/answers", json=body) as answer:
        answer_id = answer.headers["Answer-Id"]
        seen = _events(answer, 2)
    with ready_up.http.stream("GET", f"/answers/{answer_id}/events", headers={"Last-Event-ID": seen[-1][0]}) as rest:
        seen += _events(rest)
    assert [number for number, *_ in seen] == [str(n + 1) for n in range(len(seen))], "nothing twice, nothing lost"
    names = [name for _, name, _ in seen]
    assert (names[0], names[-1], names.count("end")) == ("sources", "end", 1)
    assert QUESTION.value in "".join(data["text"] for _, name, data in seen if name == "text")
    assert ready_up.http.delete(f"/answers/{answer_id}").status_code == 204
    gone = ready_up.http.get(f"/answers/{answer_id}/events")
    assert (gone.status_code, gone.json()["reason"]) == (404, "ANSWER_NOT_FOUND")


def _events(response: httpx.Response, most: int = 0) -> list[tuple[str, str, dict[str, object]]]:
    """Number, name and data of the events, of all or the first `most`."""
    found: list[tuple[str, str, dict[str, object]]] = []
    number = name = ""
    for line in response.iter_lines():
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            found.append((number, name, json.loads(line[6:])))
            if len(found) == most:
                break
    return found


def test_all_jobs_are_listed_a_page_at_a_time(ready_up: Up) -> None:
    whole = [j["id"] for j in ready_up.http.get("/jobs", params={"page_size": 200}).json()["jobs"]]
    paged: list[str] = []
    token = ""
    for _ in range(len(whole)):
        page = ready_up.http.get("/jobs", params={"page_size": 3, "page_token": token}).json()
        paged += [j["id"] for j in page["jobs"]]
        if not (token := page["next_page_token"]):
            break
    assert paged == whole
    assert len({j.partition("-")[0] for j in whole}) > 2, "of several services"
    refused = ready_up.http.get("/jobs", params={"page_token": "bm9ib2R5"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "INVALID_FIELD")


@pytest.mark.parametrize("path", ["/nowhere", "/jobs/trainer-0", "/documents/nobody"])
def test_a_browser_gets_a_page_and_a_program_a_problem(ready_up: Up, path: str) -> None:
    shown = httpx.get(ready_up.url + path, headers={"Accept": "text/html", "Accept-Language": "ja"})
    assert shown.status_code == 404
    assert shown.headers["Content-Type"].startswith("text/html") and '<div class="notice bad"' in shown.text
    assert "Traceback" not in shown.text
    if not path.startswith("/documents"):
        program = httpx.get(ready_up.url + path)
        assert (program.status_code, program.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_watcher_that_comes_back_gets_the_whole_job_again(ready_up: Up) -> None:
    job = ready_up.http.get("/jobs").json()["jobs"][0]["id"]
    for _ in range(2):
        with ready_up.http.stream("GET", f"/jobs/{job}/events") as events:
            lines = [line for line in events.iter_lines() if line.startswith("data: ")]
        assert json.loads(lines[0][6:])["id"] == job
    history = ready_up.http.get(f"/jobs/{job}/history").json()["events"]
    assert history and history[0]["progress"]["stage"]
