"""What a training would see, before it starts. Run in a process of its own, so that the service stays small:

`python -m lorag_trainer.preview` reads one JSON object on standard input (data, base, dataset_id, settings, count) and
writes one to standard output: the preview, or `{"error": ...}` in the form of `LoragError.as_dict`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.examples import Example
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.packing import plan_packing
from lorag_trainer.prepare import cut
from lorag_trainer.render import CLOSE, IGNORED, OPEN, Renderer, Row

MAX_EXAMPLES, DEFAULT_EXAMPLES = 20, 3
BUCKETS = 12
BROKEN, UTF8_BYTES = "\ufffd", 4
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Preview:
    """See PreviewTrainingResponse.

    Attributes:
        examples: `{"line": n, "tokens": [[id, text, learned], ...]}` each.
        lengths: [shortest, longest, count] of each bucket.
    """

    examples: list[dict[str, Any]]
    sequence_count: int
    token_count: int
    learned_token_count: int
    too_long_share: float
    learned_answer_share: float
    lengths: list[tuple[int, int, int]]
    longest: int
    packed_count: int
    template: str
    reasoning_count: int


def preview(data: Path, base: Path, dataset_id: str, settings: TrainingSettings, count: int) -> Preview:
    """Preview a training, in a child process.

    Raises:
        LoragError: what rendering raises, and JOB_FAILED when the process ends without a word.
    """
    request = {
        "data": str(data),
        "base": str(base),
        "dataset_id": dataset_id,
        "settings": settings.model_dump(),
        "count": min(count or DEFAULT_EXAMPLES, MAX_EXAMPLES),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lorag_trainer.preview"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise LoragError(Reason.DEADLINE, f"The preview took longer than {TIMEOUT_SECONDS} s.") from error
    except ValueError as error:
        raise LoragError(Reason.JOB_FAILED, f"The preview ended with status {done.returncode}.") from error
    if "error" in answer:
        raise LoragError.from_dict(answer["error"])
    return Preview(**answer)


def describe(examples: list[Example], settings: TrainingSettings, tokenizer: Any, count: int) -> Preview:
    """Render a whole dataset and describe it; the first `count` sequences token by token."""
    renderer = Renderer(tokenizer)
    shown: list[dict[str, Any]] = []
    lengths: list[int] = []
    kept: list[int] = []
    learned = too_long = said = survived = 0
    for example in examples:
        for whole, answer in renderer.rows(example, settings.learn, settings.max_length):
            lengths.append(len(whole["input_ids"]))
            row = whole
            if lengths[-1] > settings.max_length:
                too_long += 1
                row = cut(whole, settings.max_length) if settings.too_long == "truncate" else {}
            said += len(_squeezed(answer))
            survived += _surviving(tokenizer, row, answer)
            if row:
                kept.append(len(row["input_ids"]))
                learned += sum(label != IGNORED for label in row["labels"])
                if len(shown) < count:
                    shown.append({"line": example.line, "tokens": _tokens(tokenizer, row)})
    return Preview(
        examples=shown,
        sequence_count=len(lengths),
        token_count=sum(kept),
        learned_token_count=learned,
        too_long_share=too_long / len(lengths) if lengths else 0.0,
        learned_answer_share=survived / said if said else 1.0,
        lengths=histogram(lengths),
        longest=max(lengths, default=0),
        packed_count=len(plan_packing(kept, settings).packs) if settings.packing and kept else 0,
        template=renderer.template,
        reasoning_count=sum(any(CLOSE in m["content"] for m in e.messages) for e in examples),
    )


def histogram(lengths: list[int]) -> list[tuple[int, int, int]]:
    """At most `BUCKETS` buckets of equal width over the lengths, empty ones left out: (shortest, longest, count)."""
    if not lengths:
        return []
    low = min(lengths)
    width = max(1, -(-(max(lengths) - low + 1) // BUCKETS))
    counts: dict[int, int] = {}
    for length in lengths:
        counts[(length - low) // width] = counts.get((length - low) // width, 0) + 1
    return [(low + i * width, low + (i + 1) * width - 1, counts[i]) for i in sorted(counts)]


def _surviving(tokenizer: Any, row: Row, answer: str) -> int:
    """Characters of the answer, white space left out, that the learned tokens spell from its beginning on."""
    target = [i for i, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED] if row else []
    wanted = _squeezed(answer)
    text = _squeezed(tokenizer.decode(target, skip_special_tokens=False))
    if CLOSE not in wanted:
        # A reasoning template closes the reasoning that the prompt has opened, and the answer begins behind it.
        text = text.removeprefix(CLOSE)
    return next((i for i, (a, b) in enumerate(zip(text, wanted, strict=False)) if a != b), min(len(text), len(wanted)))


def _squeezed(text: str) -> str:
    return "".join(text.split()).removeprefix(OPEN)


def _tokens(tokenizer: Any, row: Row) -> list[tuple[int, str, bool]]:
    """[id, text, learned] of each token; a character that several tokens spell stands at the last of them."""
    found: list[tuple[int, str, bool]] = []
    held: list[int] = []
    for i, label in zip(row["input_ids"], row["labels"], strict=True):
        held.append(i)
        text = tokenizer.decode(held, skip_special_tokens=False)
        # UTF-8 has at most four bytes a character, and a token at least one: what is broken after four stays broken.
        whole = not text.endswith(BROKEN) or len(held) == UTF8_BYTES
        found.append((i, text if whole else "", label != IGNORED))
        if whole:
            held = []
    if held:  # a sequence that was cut within a character
        found[-1] = (found[-1][0], tokenizer.decode(held, skip_special_tokens=False), found[-1][2])
    return found


def _main() -> None:
    request = json.load(sys.stdin)
    try:
        from transformers import AutoTokenizer

        settings = TrainingSettings.parse(request["settings"])
        examples = list(DatasetStore(Path(request["data"])).examples(request["dataset_id"]))
        tokenizer = AutoTokenizer.from_pretrained(request["base"])
        answer = asdict(describe(examples, settings, tokenizer, request["count"]))
    except LoragError as error:
        answer = {"error": error.as_dict()}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
