"""The release gate, as far as it is no job: start one, read what one found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lorag_common import rag_config
from lorag_common.errors import LoragError, Reason
from lorag_common.jobs import JobRecord, Jobs
from lorag_qa import releases
from lorag_qa.questions import TestQuestion

KIND = "evaluation"
FILE = "evaluation.json"
DEFAULT_COUNT, MOST = 24, 500


class Evaluations:
    """Evaluations of the releases of one data folder.

    Args:
        data: the data folder.
        jobs: qa's jobs.
        default_url: model server to name when there is no configuration yet.
        indexer_address: where the job finds the indexer.
    """

    def __init__(self, data: Path, jobs: Jobs, default_url: str, indexer_address: str) -> None:
        self._data, self._jobs = data, jobs
        self._default_url, self._indexer_address = default_url, indexer_address
        jobs.register(KIND, lambda ctx: ctx.child("lorag_qa.evaluate_job"))

    def start(
        self, *, release_id: str, baseline: str, questions: Sequence[TestQuestion], count: int, request_id: str
    ) -> JobRecord:
        """Queue an evaluation. LoragError RELEASE_NOT_FOUND, INVALID_FIELD, REQUEST_ID_REUSED."""
        releases.get(self._data, release_id)
        if any(not q.text.strip() for q in questions):
            raise LoragError(Reason.INVALID_FIELD, "A question has no text.", field="questions")
        if not 0 <= count <= MOST or len(questions) > MOST:
            raise LoragError(Reason.INVALID_FIELD, f"At most {MOST} questions are asked.", field="question_count")
        spec = {
            "release_id": release_id,
            "baseline": baseline,
            "questions": [q.as_dict() for q in questions],
            "count": count or DEFAULT_COUNT,
            "default_url": self._default_url,
            "indexer_address": self._indexer_address,
        }
        return self._jobs.start(KIND, spec, request_id)

    def get(self, release_id: str) -> dict[str, Any]:
        """A release's evaluation.json. LoragError RELEASE_NOT_FOUND, EVALUATION_NOT_FOUND."""
        releases.get(self._data, release_id)
        if (found := read(self._data, release_id)) is None:
            raise LoragError(Reason.EVALUATION_NOT_FOUND, f"The release '{release_id}' has not been evaluated.")
        return found


def path_of(data: Path, release_id: str) -> Path:
    """Where the evaluation of a release is kept: beside its release.json."""
    return releases.folder_of(data, release_id) / FILE


def read(data: Path, release_id: str) -> dict[str, Any] | None:
    """The evaluation of a release, or None."""
    try:
        return dict(json.loads(path_of(data, release_id).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def baseline_of(data: Path, spec: dict[str, Any]) -> str:
    """What to compare with: what was named, else the active model, when it is another; empty for nothing."""
    active = rag_config.load(data, spec["default_url"]).llm.ollama.model
    baseline = str(spec["baseline"] or active)
    return baseline if baseline != spec["release_id"] else ""
