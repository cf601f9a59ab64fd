"""What the tiny base model is trained on: drills in copying and citing, and questions about invented facts.

Each text is a row of token ids with a weight per token: 0 for what cannot be predicted (a new value, the question),
more for what the model should learn (the quoted answer, and most of all the citation).

The base learns to quote a sentence as it stands. In a chat it never sees a citation or a polite ending: these are what
the demo's fine-tuning teaches, and what its evaluation therefore finds missing before.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from transformers import PreTrainedTokenizerFast

from lorag_demo.facts import LANGUAGES, Fact, FactSource, Language, Split
from lorag_demo.passages import FactPassage, draw_passages
from lorag_demo.tokenizer import TURN_END, TURN_START

STATEMENT_WEIGHT = 1.0
CITATION_WEIGHT = 4.0
PASSAGE_WEIGHT = 0.05
QUESTION_WEIGHT = 0.025
DRILL_WEIGHT = 0.3
DRILL_CITATION_WEIGHT = 3.0

# Of the drills the rest is copying; of the question texts the rest is in the question-and-answer form.
CITATION_DRILL_SHARE = 0.3
TABLE_DRILL_SHARE = 0.35
CHAT_SHARE = 0.3

MARKS = ("[{}]", "[{}]", "({})", "#{}")
_HEADERS: dict[Language, tuple[tuple[str, str], ...]] = {
    "ja": (("質問：", "答え："), ("問 ", "答 "), ("Q: ", "A: "), ("質問：", "回答：")),
    "en": (("Question: ", "Answer: "), ("Q. ", "A. "), ("Q: ", "A: "), ("Question: ", "Answer: ")),
}
_CHAT_HEADERS: dict[Language, tuple[str, str]] = {"ja": ("質問：", ""), "en": ("Question: ", "")}


@dataclass
class TrainingText:
    """Token ids and the weight of predicting each; of the last answer, where its sentence and its citation begin."""

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    answer_at: int = 0
    citation_at: int = 0

    def add(self, ids: list[int], weight: float) -> None:
        """Append tokens that all weigh the same."""
        self.ids += ids
        self.weights += [weight] * len(ids)


class Corpus:
    """An endless, seeded supply of training texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self._tokenizer = tokenizer
        self._random = random.Random(seed)
        self._vocabulary = len(tokenizer)
        self._special = set(tokenizer.all_special_ids)

    def text(self, drill_share: float) -> TrainingText:
        """A drill with probability `drill_share`, else questions about facts."""
        if self._random.random() >= drill_share:
            return self._chat() if self._random.random() < CHAT_SHARE else self._questions()
        kind = self._random.random()
        if kind < CITATION_DRILL_SHARE:
            return self._citation_drill()
        return self._table_drill() if kind < CITATION_DRILL_SHARE + TABLE_DRILL_SHARE else self._copy_drill()

    def exam(self, split: Split, passages: int) -> TrainingText:
        """One question over some passages, to measure with; it ends with the cited answer."""
        source = self._source(split)
        drawn = draw_passages(source, passages)
        number, fact = self._random.choice([(n, f) for n, p in enumerate(drawn, 1) for f in p.facts])
        text = TrainingText()
        question, answer = _HEADERS[source.language][0]
        text.add(self._encode(marked(drawn, source.language, MARKS[0])), 0.0)
        text.add(self._encode(f"{question}{fact.any_question(self._random)}\n{answer}"), 0.0)
        self._add_cited_answer(text, fact, MARKS[0].format(number))
        return text

    def _questions(self) -> TrainingText:
        """Passages, then several questions with quoted and cited answers."""
        source = self._source()
        drawn = draw_passages(source, self._random.choice((1, 1, 2, 2, 3)))
        mark = self._random.choice(MARKS)
        question, answer = self._random.choice(_HEADERS[source.language])
        text = TrainingText()
        text.add(self._encode(marked(drawn, source.language, mark)), PASSAGE_WEIGHT)
        for number, fact in self._some_facts(drawn, 6):
            text.add(self._encode(f"{question}{fact.any_question(self._random)}\n{answer}"), QUESTION_WEIGHT)
            self._add_cited_answer(text, fact, mark.format(number))
            text.add(self._encode("\n"), 0.0)
        return text

    def _chat(self) -> TrainingText:
        """Chat turns over passages: the answer is the bare sentence, without citation or polite ending."""
        source = self._source()
        drawn = draw_passages(source, self._random.choice((1, 1, 2, 2, 3)))
        text = TrainingText()
        if self._random.random() < 0.5:
            text.add(self._encode(f"{TURN_START}system\n{source.phrase()}{TURN_END}\n"), 0.0)
        passages = marked(drawn, source.language, self._random.choice(MARKS))
        for _, fact in self._some_facts(drawn, 4):
            header = self._random.choice(_CHAT_HEADERS[source.language])
            user = f"{passages}{header}{fact.any_question(self._random)}"
            text.add(self._encode(f"{TURN_START}user\n{user}{TURN_END}\n{TURN_START}assistant\n"), 0.0)
            text.add(self._encode(fact.statement), STATEMENT_WEIGHT)
            text.add(self._encode(TURN_END), STATEMENT_WEIGHT)
            text.add(self._encode("\n"), 0.0)
            passages = ""
        return text

    def _copy_drill(self) -> TrainingText:
        """Random tokens, then the same once more or pieces of them: nothing to learn here but copying."""
        original = self._random_tokens(self._random.randint(6, 40))
        text = TrainingText()
        text.add(original, 0.0)
        if self._random.random() < 0.5:
            text.add(self._random_tokens(self._random.randint(0, 30)), 0.0)
            pieces = [original] * self._random.choice((1, 1, 2))
        else:
            pieces = [self._piece(original, 12) for _ in range(self._random.randint(2, 6))]
        for piece in pieces:
            text.add(piece[:1], 0.0)
            text.add(piece[1:], STATEMENT_WEIGHT)
        return text

    def _citation_drill(self) -> TrainingText:
        """Random sentences, each with an ending common to all and its passage's mark; then some quoted and cited.

        Half of the time the quotes get an ending of their own, as fine-tuning will ask for: the mark has to be found
        by what the sentence says, not by how it ends.
        """
        mark = self._random.choice(MARKS)
        ending = self._random_tokens(self._random.randint(1, 4))
        changed = self._random_tokens(self._random.randint(1, 3)) + ending[-1:]
        quoted_ending = changed if self._random.random() < 0.5 else ending
        text = TrainingText()
        sentences: list[tuple[list[int], int]] = []
        for number in range(1, self._random.choice((2, 2, 3, 3, 4)) + 1):
            for _ in range(self._random.randint(1, 2)):
                sentence = self._random_tokens(self._random.randint(4, 14))
                sentences.append((sentence, number))
                text.add(sentence + ending + self._encode(mark.format(number)), 0.0)
            text.add(self._encode("\n"), 0.0)
        for _ in range(self._random.randint(3, 6)):
            sentence, number = self._random.choice(sentences)
            quote = sentence[self._random.randint(0, len(sentence) - 4) :]
            text.add(quote[:1], 0.0)
            text.add(quote[1:], DRILL_WEIGHT)
            text.add(quoted_ending, 0.0)
            text.add(self._encode(mark.format(number)), DRILL_CITATION_WEIGHT)
            text.add(self._encode("\n"), 0.0)
        return text

    def _table_drill(self) -> TrainingText:
        """A table of random tokens in sentences, one per cell; then some of them once more.

        Every row and every column occurs in several sentences, so the value that follows can be told only by both:
        what it takes to keep the price of one thing apart from its weight, and from the price of the next.
        """
        joint, link, ending = (self._random_tokens(self._random.randint(1, 2)) for _ in range(3))
        rows = [self._random_tokens(self._random.randint(1, 5)) for _ in range(self._random.randint(2, 3))]
        columns = [self._random_tokens(self._random.randint(1, 4)) for _ in range(self._random.randint(2, 3))]
        row_first = self._random.random() < 0.5
        cells = []
        for row in rows:
            for column in columns:
                key = [*row, *joint, *column] if row_first else [*column, *joint, *row]
                cells.append((key + link, self._random_tokens(self._random.randint(2, 8))))
        if self._random.random() < 0.5:
            self._random.shuffle(cells)
        text = TrainingText()
        for key, value in cells:
            text.add(key + value + ending, 0.0)
        for key, value in self._random.choices(cells, k=self._random.randint(2, 5)):
            text.add(key, 0.0)
            text.add(value + ending, STATEMENT_WEIGHT)
        return text

    def _add_cited_answer(self, text: TrainingText, fact: Fact, mark: str) -> None:
        gap = " " if fact.language == "en" else ""
        text.answer_at = len(text.ids)
        text.add(self._encode(fact.statement), STATEMENT_WEIGHT)
        text.citation_at = len(text.ids)
        text.add(self._encode(gap + mark), CITATION_WEIGHT)
        text.add(self._encode(TURN_END), STATEMENT_WEIGHT)

    def _some_facts(self, passages: list[FactPassage], most: int) -> list[tuple[int, Fact]]:
        facts = [(number, fact) for number, passage in enumerate(passages, 1) for fact in passage.facts]
        self._random.shuffle(facts)
        return facts[: self._random.randint(1, most)]

    def _source(self, split: Split = "train") -> FactSource:
        return FactSource(self._random, self._random.choice(LANGUAGES), split=split)

    def _random_tokens(self, count: int) -> list[int]:
        drawn: list[int] = []
        while len(drawn) < count:
            token = self._random.randrange(self._vocabulary)
            if token not in self._special:
                drawn.append(token)
        return drawn

    def _piece(self, tokens: list[int], longest: int) -> list[int]:
        start = self._random.randrange(len(tokens) - 3)
        return tokens[start : start + self._random.randint(3, longest)]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids


def marked(passages: list[FactPassage], language: Language, mark: str) -> str:
    """Passages one a line, the mark of its passage after every sentence."""
    space = " " if language == "en" else ""
    return "".join(
        space.join(f"{line}{space}{mark.format(number)}" for line in passage.lines) + "\n"
        for number, passage in enumerate(passages, 1)
    )
