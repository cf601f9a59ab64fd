"""Child of an evaluation: the same questions to the release and to its baseline, scored, compared, kept.

Answers are kept one by one in the job's folder, so that nothing is asked twice after kill -9. While the model server, the
indexer or the GPU is away, the job says so and waits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorag_common.artifacts import Artifact, write_json
from lorag_common.child import ChildJob, JobInterrupted
from lorag_common.errors import LoragError, Reason
from lorag_common.gpu import gpu_holder
from lorag_qa import evaluations, scoring
from lorag_qa.answering import Answering, End, Question, Sources
from lorag_qa.checked import Sentence
from lorag_qa.indexer_client import IndexerClient
from lorag_qa.questions import PageText, TestQuestion, answers_it, make_questions
from lorag_qa.scoring import Answered
from lorag_qa.search import Retrieved, Searcher
from lorag_qa.thinking import Thinking
from lorag_qa.verify import Status

WAITED_FOR = (
    Reason.MODEL_SERVER_UNAVAILABLE,
    Reason.MODEL_SERVER_FAILED,
    Reason.SERVICE_UNAVAILABLE,
    Reason.DEADLINE,
    Reason.GPU_BUSY,
)
WAIT_SECONDS = 1.0
# A server that answers and fails at the same question again and again will not get better by waiting.
FAILURES = 5
MAX_TOKENS = 256


def main(job: ChildJob) -> dict[str, Any]:
    """See `QaService.StartEvaluation`."""
    return asyncio.run(_run(job))


async def _run(job: ChildJob) -> dict[str, Any]:
    # A gRPC channel belongs to the event loop that is running when it is made.
    return await _Gate(job, IndexerClient(job.spec["indexer_address"])).run()


class _Without:
    """A searcher that keeps some passages back."""

    def __init__(self, searcher: Searcher, withheld: Sequence[str]) -> None:
        self._searcher, self._withheld = searcher, withheld

    async def search(
        self, query: str, *, top_k: int, vector_weight: float | None, document_ids: Sequence[str]
    ) -> Retrieved:
        """See `Searcher`; more are asked for, since some may fall away."""
        found = await self._searcher.search(
            query, top_k=min(50, 3 * top_k), vector_weight=vector_weight, document_ids=document_ids
        )
        left = [f for f in found.passages if not answers_it(f.text, self._withheld)]
        return Retrieved(tuple(left[:top_k]), found.notices)


class _Gate:
    def __init__(self, job: ChildJob, indexer: IndexerClient) -> None:
        self._job, self._indexer = job, indexer
        self._done = 0

    async def run(self) -> dict[str, Any]:
        job = self._job
        release = str(job.spec["release_id"])
        baseline = self._once("baseline.json", evaluations.baseline_of(job.data, job.spec))
        questions = [TestQuestion.from_dict(q) for q in job.spec["questions"]]
        generated = not questions
        if generated:
            questions = await self._made_questions()
        models = [release, *([baseline] if baseline else [])]
        total = len(questions) * len(models)
        answers = {m: await self._ask_all(m, n, questions, total) for n, m in enumerate(models)} if questions else {}
        found = _compare(release, baseline, questions, answers, generated)
        path = evaluations.path_of(job.data, release)
        write_json(path, found)
        job.report("compared", total, total, found["summary"])
        return {"artifacts": [Artifact.of(job.data, path).as_dict()]}

    async def _made_questions(self) -> list[TestQuestion]:
        kept = self._job.folder / "questions.json"
        if not kept.exists():
            self._job.report("making questions", 0, 0)
            pages = await self._patiently(self._pages)
            made = make_questions(pages, self._job.spec["count"])
            write_json(kept, [q.as_dict() for q in made])
        return [TestQuestion.from_dict(q) for q in json.loads(kept.read_text(encoding="utf-8"))]

    async def _pages(self) -> list[PageText]:
        return [page async for page in self._indexer.pages()]

    async def _ask_all(self, model: str, n: int, questions: Sequence[TestQuestion], total: int) -> list[Answered]:
        """Every question to one model; those of an earlier life of this job are read back."""
        kept = self._job.folder / f"answers-{n}.jsonl"
        answers = _read_answers(kept)
        with kept.open("ab", buffering=0) as f:
            for question in questions[len(answers) :]:
                self._job.report("asking", n * len(questions) + len(answers), total, f"{model}: {question.text}")
                answered = await self._patiently(lambda q=question: self._ask(model, q))  # type: ignore[misc]
                f.write((json.dumps(asdict(answered), ensure_ascii=False) + "\n").encode())
                answers.append(answered)
        return answers

    async def _ask(self, model: str, question: TestQuestion) -> Answered:
        searcher = _Without(self._indexer, question.withheld) if question.withheld else self._indexer
        answering = Answering(self._job.data, self._job.spec["default_url"], searcher, gpu_holder=gpu_holder)
        asked = Question(question.text, model=model, temperature=0.0, max_tokens=MAX_TOKENS)
        text, sources, end = "", (), None
        async for event in answering.answer(asked):
            if isinstance(event, Sources):
                sources = tuple((p.document_id, p.page, p.text) for p in event.passages)  # type: ignore[assignment]
            elif isinstance(event, End):
                end = event
            elif not isinstance(event, Thinking):
                text += event
        assert end is not None
        return _answered(text, sources, end)

    async def _patiently(self, work: Any) -> Any:
        """Do the work, waiting for what is away; the job's progress says for what, and how to bring it back."""
        failures = 0
        while True:
            if self._job.stop_requested():
                raise JobInterrupted
            try:
                return await work()
            except LoragError as error:
                failures += error.reason is Reason.MODEL_SERVER_FAILED
                if error.reason not in WAITED_FOR or failures >= FAILURES:
                    raise
                self._job.report("waiting", 0, 0, f"{error.message} {error.remedy}")
                await asyncio.sleep(WAIT_SECONDS)

    def _once(self, name: str, value: str) -> str:
        """What was decided when the job first ran, also after a restart."""
        kept = self._job.folder / name
        if not kept.exists():
            write_json(kept, value)
        return str(json.loads(kept.read_text(encoding="utf-8")))


def _answered(text: str, sources: Any, end: End) -> Answered:
    supported = [s for s in end.sentences if s.status is Status.SUPPORTED]
    return Answered(
        text=text,
        sources=sources,
        cited=end.cited,
        refused=bool(end.refusal),
        supported=len(supported),
        sentences=len([s for s in end.sentences if _claims(s)]),
        first_token_seconds=end.first_token_seconds,
        total_seconds=end.total_seconds,
    )


def _claims(sentence: Sentence) -> bool:
    return sentence.status is not Status.NO_CLAIM


def _read_answers(path: Path) -> list[Answered]:
    """Whole lines only; a killed writer may have left half of one, which is cut off."""
    if not path.exists():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        path.write_bytes(whole)
    rows = [json.loads(line) for line in whole.splitlines()]
    return [
        Answered(**r | {"sources": tuple(tuple(s) for s in r["sources"]), "cited": tuple(r["cited"])}) for r in rows
    ]


def _compare(
    release: str,
    baseline: str,
    questions: Sequence[TestQuestion],
    answers: dict[str, list[Answered]],
    generated: bool,
) -> dict[str, Any]:
    """What stands in evaluation.json."""
    both = [answers[m] for m in (release, baseline) if m in answers]
    found = scoring.differences(questions, *both) if len(both) == 2 else []
    measured = {m: scoring.quality(m, questions, a) for m, a in answers.items()}
    verdict = scoring.verdict(found)
    return {
        "release_id": release,
        "baseline": baseline,
        "verdict": verdict,
        "summary": _summary(release, baseline, verdict, found, len(questions)),
        "question_count": len(questions),
        "unanswerable_count": sum(not q.expected for q in questions),
        "generated": generated,
        "candidate": measured.get(release),
        "current": measured.get(baseline),
        "differences": found,
        "create_time": datetime.now(UTC).isoformat(timespec="seconds"),
        "questions": [q.as_dict() | {"answers": _kept(q, n, answers)} for n, q in enumerate(questions)],
    }


def _kept(question: TestQuestion, n: int, answers: dict[str, list[Answered]]) -> dict[str, Any]:
    """Model -> its answer to question n with its score."""
    return {m: asdict(a[n]) | {"score": asdict(scoring.score(question, a[n]))} for m, a in answers.items()}


def _summary(release: str, baseline: str, verdict: str, found: Sequence[dict[str, Any]], count: int) -> str:
    if not count:
        return "Nothing was asked: no questions were given, and no document is indexed to make some from."
    if not baseline:
        return f"'{release}' answered {count} questions; there was no active release to compare it with."
    words = {"WORSE": "is worse than", "BETTER": "is better than", "NO_DIFFERENCE": "is not measurably different from"}
    numbers = "; ".join(f"{d['score']} {d['mean']:+.2f} (95%: {d['low']:+.2f} to {d['high']:+.2f})" for d in found)
    return f"'{release}' {words[verdict]} '{baseline}' over {count} questions: {numbers}."
