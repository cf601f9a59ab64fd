"""What quantization lost: the released model against its unquantized self, on the adapter's held-out answers.

For each token of an answer both models see the same text before it. Compared are the distributions of the next token:
Kullback-Leibler divergence from the reference in nats, how often both put the same token first, and perplexity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

CONTEXT = 1024
MAX_TOKENS = 2048
OPEN = "<think>"


class Sequence(NamedTuple):
    """Token ids of a conversation, and where its answer starts."""

    tokens: list[int]
    answer: int


def sequences(heldout: Path, tokenizer: Any) -> tuple[list[Sequence], int]:
    """Held-out conversations as they were trained, up to `MAX_TOKENS` answer tokens; and how many were too long."""
    found: list[Sequence] = []
    left_out = budget = 0
    for line in heldout.read_text(encoding="utf-8").splitlines():
        messages = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = messages[-1]["content"]
        if prompt.rstrip().endswith(OPEN):
            # The prompt has opened the reasoning; the answer goes on within it.
            answer = answer.lstrip().removeprefix(OPEN)
        tail = tokenizer(answer + (tokenizer.eos_token or ""), add_special_tokens=False)["input_ids"]
        if len(head) + len(tail) > CONTEXT:
            left_out += 1
        elif budget + len(tail) <= MAX_TOKENS:
            found.append(Sequence(head + tail, len(head)))
            budget += len(tail)
    return found, left_out


def logits(gguf: Path, texts: list[Sequence]) -> Iterator[npt.NDArray[np.float32]]:
    """For each sequence the logits that predict its answer, float32, shape (answer tokens, vocabulary)."""
    import llama_cpp

    model = llama_cpp.Llama(str(gguf), n_ctx=CONTEXT, n_batch=128, logits_all=True, n_gpu_layers=-1, verbose=False)
    try:
        for text in texts:
            model.reset()
            model.eval(text.tokens)
            yield np.array(model.scores[text.answer - 1 : len(text.tokens) - 1], np.float32)
    finally:
        model.close()


def measure(
    reference: Path,
    candidate: Path,
    texts: list[Sequence],
    scratch: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float]:
    """Compare two GGUFs on the answers of `texts`; they are loaded one after the other.

    The reference's logits wait in `scratch`: answer tokens x vocabulary x 4 bytes.

    Returns:
        `kl` and `kl_p95` in nats, `top1_agreement` in 0..1, `perplexity`, `reference_perplexity`, `tokens`.
    """
    kept = scratch / "logits"
    with kept.open("wb") as f:
        for done, rows in enumerate(logits(reference, texts)):
            rows.tofile(f)
            progress(done + 1, 2 * len(texts))
    divergences: list[npt.NDArray[np.float32]] = []
    same = total = 0
    losses = [0.0, 0.0]
    with kept.open("rb") as f:
        for done, given in enumerate(logits(candidate, texts)):
            text = texts[done]
            wanted = np.fromfile(f, np.float32, given.size).reshape(given.shape)
            p, q = (torch.log_softmax(torch.from_numpy(x), dim=-1) for x in (wanted, given))
            divergences.append((p.exp() * (p - q)).sum(-1).numpy())
            same += int((p.argmax(-1) == q.argmax(-1)).sum())
            target = torch.tensor(text.tokens[text.answer :]).view(-1, 1)
            losses = [loss - float(x.gather(1, target).sum()) for loss, x in zip(losses, (p, q), strict=True)]
            total += len(target)
            progress(len(texts) + done + 1, 2 * len(texts))
    kept.unlink()
    kl = np.concatenate(divergences)
    return {
        "tokens": total,
        "kl": round(max(float(kl.mean()), 0.0), 6),
        "kl_p95": round(max(float(np.quantile(kl, 0.95)), 0.0), 6),
        "top1_agreement": round(same / total, 5),
        "perplexity": round(math.exp(losses[1] / total), 4),
        "reference_perplexity": round(math.exp(losses[0] / total), 4),
    }


def reference_type(f16_bytes: int, free_disk: int, free_memory: int) -> str:
    """F16 where it fits the disk and the memory of this machine, else Q8_0 (published KL from F16: 0.0014)."""
    return "F16" if f16_bytes < min(free_disk, free_memory) else "Q8_0"
