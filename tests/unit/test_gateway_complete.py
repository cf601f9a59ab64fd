"""Nothing that a service offers is out of reach of HTTP, and nothing that HTTP offers is missing on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lorag.converter.v1 import converter_pb2
from lorag.indexer.v1 import indexer_pb2
from lorag.jobs.v1 import jobs_pb2
from lorag.qa.v1 import qa_pb2
from lorag.trainer.v1 import trainer_pb2
from lorag_gateway.app import PREFIX, create_app
from lorag_gateway.settings import GatewaySettings

ROOT = Path(__file__).resolve().parents[2]
# What a person does on the command line another way.
ELSEWHERE = {
    "/api/v1/events": "lorag jobs ID --watch follows one",
    "/api/v1/jobs/{job_id}/history": "lorag adapters --show has every logged step",
    "/api/v1/documents/{document_id}/pages/{page}/image": "a picture is no text",
    "/api/v1/keys": "lorag key works on the data folder, so that it makes the first key too",
    "/api/v1/keys/{key_id}": "as above",
}


def rpcs() -> list[str]:
    files = (converter_pb2, indexer_pb2, jobs_pb2, qa_pb2, trainer_pb2)
    return [
        f"{service.name}.{method.name}"
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]


def sources(folder: str) -> str:
    return "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.parametrize("rpc", rpcs())
def test_every_rpc_is_behind_a_route(rpc: str) -> None:
    assert re.search(rf"\.{rpc.partition('.')[2]}\b", sources("gateway/lorag_gateway")), f"no route calls {rpc}"


def test_every_route_has_its_command(tmp_path: Path) -> None:
    app = create_app(GatewaySettings(data=tmp_path))
    commands = sources("cli/lorag_cli")
    missing = []
    for path in app.openapi()["paths"]:
        if not path.startswith(PREFIX) or path in ELSEWHERE:
            continue
        # The fixed parts of a path, as the commands write them: "/releases/", ":publish".
        parts = [p for p in re.split(r"\{[^}]*\}", path.removeprefix(PREFIX)) if p]
        if not all(part in commands for part in parts):
            missing.append(path)
    assert not missing, missing
