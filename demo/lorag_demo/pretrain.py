"""Pre-training of the tiny base model: AdamW over seeded texts, for a number of steps and not for a span of time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from lorag_demo.corpus import Corpus, TrainingText
from lorag_demo.facts import Split

# The learning rate is the setting that counts: at 2e-3 and above the copy circuit is destroyed before it is tuned, and
# citations stay at chance.
LEARNING_RATE = 1e-3
STEPS = 1100
BATCH_TOKENS = 2048
WARMUP_STEPS = 30
DECAY_FROM = 0.5
LAST_RATE = 0.03
WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.98)
GRADIENT_NORM = 1.0
# Drills lead at first and give way to questions.
FIRST_DRILL_SHARE = 0.7
LAST_DRILL_SHARE = 0.15
DRILL_DECAY = 1.2
TEXTS_PER_DRAW = 256
EXAM_TEXTS = 40


@dataclass(frozen=True)
class Settings:
    """How long and from which seed to train."""

    steps: int = STEPS
    seed: int = 0
    report_every: int = 50


@dataclass(frozen=True)
class Progress:
    """Where training stands: steps done, steps in all, mean loss since the last report (nats per weighted token)."""

    step: int
    steps: int
    loss: float


def pretrain(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    settings: Settings,
    report: Callable[[Progress], None],
) -> None:
    """Train the model in place, on the CPU."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=BETAS, weight_decay=WEIGHT_DECAY)
    batches = _batches(tokenizer, settings)
    losses: list[float] = []
    model.train()
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * rate(step, settings.steps)
        loss = _loss(model, *next(batches))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % settings.report_every == 0 or step == settings.steps:
            report(Progress(step, settings.steps, sum(losses) / len(losses)))
            losses.clear()
    model.eval()


@dataclass(frozen=True)
class ExamResult:
    """Shares of exam texts: the whole sentence quoted rightly, the citation and end right."""

    quoted: float
    cited: float


def examine(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, split: Split, passages: int, seed: int = 12345
) -> ExamResult:
    """Teacher-forced check on texts of their own seed; `held` uses attributes that training never mentions."""
    corpus = Corpus(tokenizer, seed)
    texts = [corpus.exam(split, passages) for _ in range(EXAM_TEXTS)]
    ids, _ = _pad(texts, tokenizer)
    with torch.no_grad():
        guesses = model(input_ids=ids).logits.argmax(-1)
    quoted = cited = 0
    for row, text in enumerate(texts):
        right = (ids[row, 1:] == guesses[row, :-1])[: len(text.ids) - 1].tolist()
        quoted += all(right[text.answer_at - 1 : text.citation_at - 1])
        cited += all(right[text.citation_at - 1 :])
    return ExamResult(quoted / len(texts), cited / len(texts))


def rate(step: int, steps: int) -> float:
    """Share of the learning rate: a short warm-up, constant until half-way, then straight down."""
    done = step / steps
    falling = 1.0 if done < DECAY_FROM else max(LAST_RATE, (1 - done) / (1 - DECAY_FROM))
    return min(1.0, step / WARMUP_STEPS) * falling


def _loss(model: Qwen2ForCausalLM, ids: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy; logits are made only where a weight stands, which saves half of the time."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
        wanted = weights[:, 1:] > 0
        logits = hidden[wanted] @ model.model.embed_tokens.weight.t()
    losses = functional.cross_entropy(logits.float(), ids[:, 1:][wanted], reduction="none")
    chosen = weights[:, 1:][wanted]
    return (losses * chosen).sum() / chosen.sum()


def _batches(tokenizer: PreTrainedTokenizerFast, settings: Settings) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of at most BATCH_TOKENS padded tokens, each of texts of similar length."""
    corpus = Corpus(tokenizer, settings.seed)
    shuffler = random.Random(settings.seed)
    made = 0
    while True:
        share = max(LAST_DRILL_SHARE, FIRST_DRILL_SHARE - DRILL_DECAY * made / settings.steps)
        texts = sorted((corpus.text(share) for _ in range(TEXTS_PER_DRAW)), key=lambda text: len(text.ids))
        groups: list[list[TrainingText]] = [[]]
        for text in texts:
            if groups[-1] and (len(groups[-1]) + 1) * len(text.ids) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(text)
        shuffler.shuffle(groups)
        for group in groups:
            made += 1
            yield _pad(group, tokenizer)


def _pad(texts: Sequence[TrainingText], tokenizer: PreTrainedTokenizerFast) -> tuple[Tensor, Tensor]:
    """Token ids and weights (texts, longest), padded on the right with weight 0."""
    longest = max(len(text.ids) for text in texts)
    ids = torch.full((len(texts), longest), int(tokenizer.convert_tokens_to_ids(str(tokenizer.pad_token))))
    weights = torch.zeros(len(texts), longest)
    for row, text in enumerate(texts):
        ids[row, : len(text.ids)] = torch.tensor(text.ids)
        weights[row, : len(text.ids)] = torch.tensor(text.weights)
    return ids, weights
