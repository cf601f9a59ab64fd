"""The API's reference, from its own description; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lorag_gateway.pages.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def reference(request: Request) -> Response:
    """Every address of the API, by area."""
    api = request.app.openapi()
    areas: dict[str, list[dict[str, Any]]] = {}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            areas.setdefault(operation["tags"][0], []).append(_shown(path, method, operation, api))
    return render(request, "reference.html", areas=areas)


def _shown(path: str, method: str, operation: dict[str, Any], api: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] = next((content.get("schema", {}) for content in body.values()), {})
    for option in schema.get("anyOf", []):
        schema = option if "$ref" in option else schema
    if "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {
        "method": method.upper(),
        "path": path,
        "text": operation.get("description", ""),
        "parameters": operation.get("parameters", []),
        "kind": next(iter(body), ""),
        "fields": [
            {"name": name, "text": field.get("description", ""), "needed": name in schema.get("required", [])}
            for name, field in schema.get("properties", {}).items()
        ],
        "example": _example(schema),
        "statuses": sorted(operation["responses"]),
    }


def _example(schema: dict[str, Any]) -> str:
    found = {n: f["examples"][0] for n, f in schema.get("properties", {}).items() if f.get("examples")}
    return json.dumps(found, ensure_ascii=False) if found else ""
