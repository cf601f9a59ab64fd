"""What a page says of a job: what it is about, its stages, how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Job = dict[str, Any]
Words = Mapping[str, str]


def asked(job: Job) -> Any:
    """What the job was asked for, without what was left open; `{}` before the job is known."""
    return given(json.loads(job.get("spec_json") or "{}"))


def given(value: Any) -> Any:
    """A job's settings without those that were left open."""
    if isinstance(value, dict):
        return {k: found for k, v in value.items() if (found := given(v)) not in (None, "", [], {})}
    return value


def subject(job: Job, names: Mapping[str, str] = {}) -> str:
    """What a job is about, in a few words.

    Args:
        job: as the API has it.
        names: document id -> name.
    """
    spec = asked(job)
    if job["kind"] == "pipeline" and job["state"] == "JOB_STATE_SUCCEEDED":
        return str((job.get("progress") or {}).get("message", ""))
    document = spec.get("document_id", "")
    found = spec.get("release_id") or spec.get("model") or names.get(document, document[:8]) or spec.get("base_model")
    return str(found or "")


def stages(job: Job) -> list[tuple[str, str]]:
    """The stages of a pipeline, each `done`, `now`, `failed` or empty."""
    spec = asked(job)
    release = spec.get("release_id")
    names = [
        *(["train"] if spec.get("dataset_id") else []),
        *([] if release else ["convert"]),
        "publish",
        *(["evaluate"] if spec.get("evaluate") else []),
        *([] if spec.get("activate") is False else ["activate"]),
    ]
    at = (job.get("progress") or {}).get("stage", "")
    state = job["state"].rpartition("_")[2].lower()
    reached = len(names) if state == "succeeded" else names.index(at) if at in names else 0
    here = {"running": "now", "failed": "failed", "cancelled": "failed"}.get(state, "")
    return [(name, "done" if i < reached else here if i == reached else "") for i, name in enumerate(names)]


def lasted(job: Job, t: Words) -> str:
    """How long an ended job took."""
    start, end = job.get("start_time"), job.get("end_time")
    if not start or not end:
        return ""
    return lasting((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), t)


def lasting(seconds: float, t: Words) -> str:
    """A length of time for people."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, part = divmod(minutes, 60)
    if hours:
        return t["lasted.hours"].format(h=hours, m=part)
    return t["lasted.minutes"].format(m=minutes, s=rest) if minutes else t["lasted.seconds"].format(s=rest)
