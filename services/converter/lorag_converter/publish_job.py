"""Child of a publication: a release -> the model server, under `name:vN`."""

from __future__ import annotations

from typing import Any

from lorag_common import rag_config
from lorag_common.artifacts import Artifact
from lorag_common.child import ChildJob
from lorag_common.errors import LoragError, Reason
from lorag_common.model_server import ModelServer
from lorag_converter import releases

SMOKE = "1+1="


def main(job: ChildJob) -> dict[str, Any]:
    """Import, ask one smoke question, note it in the certificate. Again and again with the same outcome."""
    release_id = job.spec["release_id"]
    folder = releases.folder_of(job.data, release_id)
    certificate = releases.load(job.data, release_id)
    url = rag_config.load(job.data, job.spec["default_url"]).llm.ollama.base_url
    server = ModelServer(url)
    job.report("publishing", 0, 2, message=f"to {url}")
    server.create_from_gguf(
        release_id,
        folder / "model.gguf",
        parameters=certificate["prompt"]["parameters"],
        sha256=certificate["gguf"]["sha256"],
        progress=lambda status: job.report("publishing", 0, 2, message=status),
    )
    job.report("smoke question", 1, 2)
    answer = server.generate(release_id, SMOKE, raw=True, num_predict=4, temperature=0)
    if not answer.eval_count and not answer.response:
        raise LoragError(Reason.MODEL_SERVER_FAILED, f"'{release_id}' was imported, but generates nothing.")
    releases.mark_published(job.data, release_id, url, server.list().get(release_id, ""))
    job.report("published", 2, 2)
    return {"artifacts": [Artifact.of(job.data, folder / releases.CERTIFICATE).as_dict()]}
