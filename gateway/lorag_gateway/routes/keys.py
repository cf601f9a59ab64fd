"""API keys and the audit log."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from lorag_common.errors import Reason
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.shared import Body
from lorag_gateway.problems import errors
from lorag_gateway.routes.deps import AuditDep, KeysDep

router = APIRouter(tags=["access"])


class KeyBody(Body):
    """A key to make."""

    name: str = Field(description="Whose it is or what it is for.", examples=["notebook"], min_length=1, max_length=100)
    scope: Literal["read", "write", "admin"] = Field(default="read", description="What it allows.")


class KeyView(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    scope: str
    create_time: str


class NewKey(BaseModel):
    """A key that was just made."""

    key: KeyView
    secret: str = Field(description="The key itself; it is shown this once.")


class KeyList(BaseModel):
    """All keys."""

    keys: list[KeyView]


class AuditEntry(BaseModel):
    """One request that could change something."""

    time: str
    caller: str
    name: str
    method: str
    path: str
    status: int
    request_id: str


class AuditList(BaseModel):
    """Newest first."""

    entries: list[AuditEntry]


@router.get("/keys")
@needs(Scope.ADMIN)
async def list_keys(keys: KeysDep) -> KeyList:
    """The API keys, newest first; their secrets are kept nowhere."""
    return KeyList(keys=[KeyView(**k.public()) for k in await asyncio.to_thread(keys.list)])


@router.post("/keys", status_code=201)
@needs(Scope.ADMIN)
async def create_key(body: KeyBody, keys: KeysDep) -> NewKey:
    """Make a key."""
    key, secret = await asyncio.to_thread(keys.create, body.name, Scope.named(body.scope))
    return NewKey(key=KeyView(**key.public()), secret=secret)


@router.delete("/keys/{key_id}", status_code=204, responses=errors(Reason.KEY_NOT_FOUND))
@needs(Scope.ADMIN)
async def revoke_key(key_id: str, keys: KeysDep) -> Response:
    """Revoke a key; it opens nothing from now on."""
    await asyncio.to_thread(keys.revoke, key_id)
    return Response(status_code=204)


@router.get("/audit")
@needs(Scope.ADMIN)
async def list_audit(
    audit: AuditDep, page_size: Annotated[int, Query(ge=0, le=1000, description="At most this many; 0 means 50.")] = 0
) -> AuditList:
    """Who changed what: every request that could change something, newest first."""
    found: list[dict[str, Any]] = await asyncio.to_thread(audit.read, page_size or 50)
    return AuditList(entries=[AuditEntry(**e) for e in found])
