"""How well the check of sentences tells what the passages say from what they do not: precision and recall on JSQuAD.

    python -m bench.citations --data FILE [--fit] [--sentences N]

JSQuAD (JGLUE, CC BY-SA 4.0) has paragraphs with questions and answers by people. A question with its answer put in the
place of the question word is a statement that the paragraph supports, in words of its own. From it are made: statements
that the paragraph contradicts (another number; the contrary; another answer of the same paragraph and of the same kind in
its place) and statements of other articles. Every statement is checked against its paragraph and the two paragraphs of
the article most like the question. A third of each set is supported statements and sentences quoted from the paragraph
in equal parts, a third contradicted in equal parts, a third off-topic.

Articles with an even number serve for fitting (`--fit` prints the weights and the threshold), odd ones are scored.
Prints one line of JSON: `precision` and `recall` of "supported", and the share called supported of each kind.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lorag_qa import verify
from lorag_qa.verify import Evidence, Status

SEED = 7
ASK = re.compile(
    r"(?:西暦)?(?:何[年月日人条語国歳回位件]|何世紀|何番目|何|なに|なん(?=[でとか])|誰|だれ|どこ|何処|いつ|ど(?:の|んな)[^はがをにのでと]{1,4})"
)
QUESTION_END = re.compile(r"(?:でしょうか|でしょう|ですか|だったか|でしたか|なのか|であるか|か)?[?？。]*$")
VERB_END = re.compile(r"(?:です|でした|だった|である|[いうくすむぶつるたぬ])$")
COUNTER = re.compile(r"[年月日人条語国歳回位件]$|世紀$|番目$")
CONTRARY = (
    ("です。", "ではありません。"), ("でした。", "ではありませんでした。"), ("である。", "ではない。"),
    ("だった。", "ではなかった。"), ("ています。", "ていません。"), ("ている。", "ていない。"),
    ("ました。", "ませんでした。"), ("ます。", "ません。"), ("された。", "されなかった。"), ("した。", "しなかった。"),
    ("される。", "されない。"), ("する。", "しない。"), ("れる。", "れない。"), ("れた。", "れなかった。"),
    ("という。", "とはいわない。"), ("ぶ。", "ばない。"),
)  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """A sentence, whether it is supported and how it was made; the passages, their title and the article's number."""

    text: str
    how: str
    passages: tuple[str, ...]
    title: str
    article: int

    @property
    def supported(self) -> bool:
        """Whether the passages say so."""
        return self.how in ("stated", "quoted")


def statement(question: str, answer: str) -> str | None:
    """The question as a statement, or None where no rule fits."""
    asked = list(ASK.finditer(question.strip()))
    if not asked:
        plain = re.match(r"^(.{4,}は)[?？。]*$", question.strip())
        return f"{plain[1]}{answer}です。" if plain else None
    if len(asked) > 1:
        return None
    word, head, tail = asked[0][0], question.strip()[: asked[0].start()], question.strip()[asked[0].end() :]
    counter = COUNTER.search(word)
    filled = answer + (counter[0] if counter and not answer.endswith(counter[0]) else "")
    rest = re.sub(r"^って|^て", "と", QUESTION_END.sub("", tail))
    if re.match(r"いう|呼|言", rest):
        rest = "と" + rest
    if rest in ("", "のこと", "の名前", "名"):
        return f"{head}{filled}です。"
    return f"{head}{filled}{rest}。" if VERB_END.search(rest) else None


def contrary(sentence: str) -> str | None:
    """The sentence with its predicate negated, or None where no rule fits."""
    if sentence.endswith(("ありません。", "った。")) and not sentence.endswith("だった。"):
        return None
    return next((sentence.removesuffix(end) + new for end, new in CONTRARY if sentence.endswith(end)), None)


def other_number(sentence: str, rng: random.Random) -> str | None:
    """The sentence with one of its numbers changed a little, or None when it has none."""
    found = list(re.finditer(r"\d+", sentence))
    if not found:
        return None
    spot = rng.choice(found)
    value = int(spot[0])
    changed = rng.choice([v for d in (-10, -3, -2, -1, 1, 2, 3, 10) if (v := value + d) >= 0])
    return f"{sentence[: spot.start()]}{changed}{sentence[spot.end() :]}"


def kind(answer: str) -> str:
    """Numbers by what stands around the digits, other answers by their script."""
    if re.search(r"\d", answer):
        return re.sub(r"[\d,.]+", "0", answer)
    if answer.isascii():
        return "latin"
    return "katakana" if 2 * sum("ァ" <= c <= "ヿ" for c in answer) > len(answer) else "kanji"


def labelled(data: Path) -> list[Labelled]:
    """Every sentence that the rules make of a JSQuAD file, in a seeded order."""
    rng = random.Random(SEED)
    articles = json.loads(data.read_text(encoding="utf-8"))["data"]
    made: list[Labelled] = []
    for number, article in enumerate(articles):
        texts = [p["context"].split("[SEP]", 1)[-1].strip() for p in article["paragraphs"]]
        for index, paragraph in enumerate(article["paragraphs"]):
            for qa in paragraph["qas"]:
                made += _of_question(qa, paragraph, texts, index, article["title"], number, rng)
    stated = [m for m in made if m.how == "stated"]
    for one in stated:
        other = rng.choice(stated)
        if other.article != one.article:
            made.append(replace(one, text=other.text, how="elsewhere"))
    rng.shuffle(made)
    return made


def _of_question(
    qa: dict[str, list[dict[str, str]]] | dict[str, str], paragraph: dict[str, list[dict[str, list[dict[str, str]]]]],
    texts: list[str], index: int, title: str, number: int, rng: random.Random,
) -> Iterator[Labelled]:  # fmt: skip
    question, answers = str(qa["question"]), [a["text"] for a in qa["answers"]]  # type: ignore[index]
    said = statement(question, answers[0])
    if said is None:
        return
    pairs = _pairs(question)
    others = sorted((i for i in range(len(texts)) if i != index), key=lambda i: -len(pairs & _pairs(texts[i])))[:2]
    base = Labelled(said, "stated", (texts[index], *(texts[i] for i in others)), title, number)
    yield base
    quoted = next((s for s in re.split(r"(?<=。)", texts[index]) if answers[0] in s and len(s) < 120), None)
    if quoted:
        yield replace(base, how="quoted", text=re.sub(r"である。$", "です。", quoted))
    for how, text in (("number", other_number(said, rng)), ("contrary", contrary(said))):
        if text:
            yield replace(base, how=how, text=text)
    rivals = [
        rival
        for q in paragraph["qas"]
        if (rival := q["answers"][0]["text"]) not in question
        and kind(rival) == kind(answers[0])
        and max(len(rival), len(answers[0])) <= 2 * min(len(rival), len(answers[0])) + 1
        and all(rival not in a and a not in rival for a in answers)
    ]
    if rivals and (swapped := statement(question, rng.choice(rivals))):
        yield replace(base, how="swapped", text=swapped)


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


def balanced(sentences: Sequence[Labelled], third: int) -> list[Labelled]:
    """A third supported, a third contradicted, a third off-topic, each kind within a third in equal parts."""
    parts = {"stated": 2, "quoted": 2, "number": 3, "contrary": 3, "swapped": 3, "elsewhere": 1}
    return [s for how, n in parts.items() for s in [s for s in sentences if s.how == how][: third // n]]


def fit(sentences: Sequence[Labelled]) -> tuple[dict[str, float], float, float]:
    """Weights, bias and threshold: logistic regression (Newton), then the threshold of the best F1 at precision >= 0.905."""
    rows = [(m, s.supported) for s in sentences if (m := _evidence(s).measure(s.text)) is not None]
    names = list(rows[0][0])
    x = np.array([[*m.values(), 1.0] for m, _ in rows])
    y = np.array([float(s) for _, s in rows])
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w))
        w -= np.linalg.solve(hessian, x.T @ (p - y) + 1e-3 * w)
    p = 1 / (1 + np.exp(-x @ w))
    scored = [(*_precision_recall(p >= t, y > 0), t) for t in np.arange(0.4, 0.9, 0.01)]
    good = [s for s in scored if s[0] >= 0.905] or scored
    best = max(good, key=lambda s: 2 * s[0] * s[1] / (s[0] + s[1]))
    return {n: round(float(v), 2) for n, v in zip(names, w, strict=False)}, round(float(w[-1]), 2), round(best[2], 2)


def _precision_recall(called: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> tuple[float, float]:
    hits = float((called & true).sum())
    return hits / max(1.0, float(called.sum())), hits / max(1.0, float(true.sum()))


def _evidence(s: Labelled) -> Evidence:
    return Evidence(s.passages, [s.title] * len(s.passages))


def score(sentences: Sequence[Labelled], supported: Callable[[Labelled], bool]) -> dict[str, object]:
    """Precision and recall of "supported", their 95% margins, and the share called supported of each kind."""
    called = np.array([supported(s) for s in sentences])
    true = np.array([s.supported for s in sentences])
    precision, recall = _precision_recall(called, true)
    kinds = {s.how for s in sentences}
    by_kind = {k: float(np.mean([c for c, s in zip(called, sentences, strict=True) if s.how == k])) for k in kinds}
    margin = lambda share, n: round(1.96 * math.sqrt(share * (1 - share) / max(1, n)), 3)  # noqa: E731
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "precision_margin": margin(precision, int(called.sum())),
        "recall_margin": margin(recall, int(true.sum())),
        "called_supported": {k: round(v, 3) for k, v in sorted(by_kind.items())},
    }


def main() -> None:
    """Fit, or score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a JSQuAD file")
    parser.add_argument("--sentences", type=int, default=1800, help="how many to score, at least 200")
    parser.add_argument("--fit", action="store_true", help="fit the weights on the other articles and print them")
    asked = parser.parse_args()
    made = labelled(asked.data)
    if asked.fit:
        weights, bias, threshold = fit(balanced([s for s in made if s.article % 2 == 0], 1200))
        print(json.dumps({"weights": weights, "bias": bias, "threshold": threshold}))
        return
    chosen = balanced([s for s in made if s.article % 2 == 1], max(200, asked.sentences) // 3)
    found = score(chosen, lambda s: _evidence(s).check(s.text).status is Status.SUPPORTED)
    print(json.dumps({"sentences": len(chosen), **found, "threshold": verify.THRESHOLD}))


if __name__ == "__main__":
    main()
