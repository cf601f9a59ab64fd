"""Child of a publication: a release -> the model server, under `name:vN`.

It is imported under a name of its own, checked there, and only then gets its real one: `name:vN` never names a model that was
not checked. While the model server is away or a training holds the GPU, the job says so and waits.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.artifacts import Artifact
from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.errors import LoragError, Reason
from lorag_common.gpu import gpu_holder
from lorag_common.model_server import ModelServer
from lorag_common.prompts import Passage, build_messages
from lorag_common.resolve import resolve_base_model
from lorag_common.settings import ServiceSettings
from lorag_converter import publish_disk, releases, served

SMOKE = build_messages(
    "青森館の定員は何人ですか。", [Passage("青森館の定員は482人である。", "smoke.pdf", 1)], "5a0ce5a0"
)
SMOKE_TOKENS = 24
WAIT_SECONDS = 1.0
# A server that is there and fails again and again will not get better by waiting.
FAILURES = 5


def main(job: ChildJob) -> dict[str, Any]:
    """Import, check, ask one smoke question, give the name, note it in the certificate. Again with the same outcome."""
    failures = 0
    while True:
        if job.stop_requested():
            raise JobInterrupted
        try:
            return _publish(job)
        except LoragError as error:
            failures += error.reason is Reason.MODEL_SERVER_FAILED
            waited_for = (Reason.MODEL_SERVER_UNAVAILABLE, Reason.MODEL_SERVER_FAILED, Reason.GPU_BUSY)
            if error.reason not in waited_for or failures >= FAILURES:
                raise
            job.report("waiting", 0, 0, message=f"{error.message} {error.remedy}")
            time.sleep(WAIT_SECONDS)


def _publish(job: ChildJob) -> dict[str, Any]:
    release_id = job.spec["release_id"]
    folder = releases.folder_of(job.data, release_id)
    certificate = releases.load(job.data, release_id)
    url = rag_config.load(job.data, job.spec["default_url"]).llm.ollama.base_url
    server = ModelServer(url)
    needed = publish_disk.needed(server, certificate)
    job.report("publishing", 0, 4, message=f"to {url}; the server needs {needed >> 20} MiB of disk for it")
    if (holder := gpu_holder(job.data)) is not None:
        raise LoragError(Reason.GPU_BUSY, f"The training {holder} holds the GPU.")
    publish_disk.require_room(server, needed, job.data)
    checking = f"{release_id}{served.CHECKING}"
    server.create_from_gguf(
        checking,
        folder / "model.gguf",
        parameters=certificate["prompt"]["parameters"],
        system=job.spec.get("system") or None,
        license=job.spec.get("license") or _license(job, certificate),
        sha256=certificate["gguf"]["sha256"],
        progress=lambda status: job.report("publishing", 0, 4, message=status),
    )
    try:
        job.report("checking the server's prompts", 1, 4)
        parity = served.check(server, checking, folder, certificate["prompt"]["stop"], job.spec.get("system", ""))
        job.report("smoke question", 2, 4)
        answer = _smoke(server, checking)
        server.copy(checking, release_id)
    finally:
        _drop(server, checking)
    job.report("noting", 3, 4)
    others, others_bytes = publish_disk.others(server, release_id)
    releases.mark_published(
        job.data,
        release_id,
        server=url,
        digest=server.list().get(release_id, ""),
        parity=parity,
        smoke=answer,
        others=others,
    )
    kept = f"; {len(others)} other versions of the model take {others_bytes >> 20} MiB there" if others else ""
    job.report("published", 4, 4, message=f"{release_id}{kept}", other_versions_bytes=others_bytes)
    return {"artifacts": [Artifact.of(job.data, folder / releases.CERTIFICATE).as_dict()]}


def _smoke(server: ModelServer, name: str) -> str:
    """The model must answer something, and no spelling of a control token may show."""
    reply = server.chat(name, SMOKE, num_predict=SMOKE_TOKENS, temperature=0)
    said = str(reply.message.content or "") + str(reply.message.thinking or "")
    if not reply.eval_count or not said.strip():
        raise LoragError(Reason.PARITY_FAILED, f"'{name}' was imported, but answers nothing.")
    if "<|" in said or "<｜" in said:
        raise LoragError(Reason.PARITY_FAILED, f"'{name}' shows control tokens in its answer: {said!r}.")
    return said.strip()


def _drop(server: ModelServer, checking: str) -> None:
    """Remove the name that was checked; a server that has gone away meanwhile is found by the next call."""
    try:
        server.delete(checking)
    except LoragError as error:
        if error.reason not in (Reason.MODEL_NOT_FOUND, Reason.MODEL_SERVER_UNAVAILABLE):
            raise


def _license(job: ChildJob, certificate: dict[str, Any]) -> str | None:
    """The base model's licence text, where its folder is at hand and has one."""
    try:
        base = resolve_base_model(certificate["base_model"], ServiceSettings(data=job.data))
    except LoragError:
        return None
    found = sorted(p for p in Path(base).glob("LICENSE*") if p.is_file())
    return found[0].read_text(encoding="utf-8", errors="replace") if found else None
