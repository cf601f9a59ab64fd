"""Examples -> token ids, so that what is learned is what will be served.

When a model is served, the chat template is rendered up to the generation prompt, tokenized, and the model goes on from
there. So prompt and target are tokenized apart, and the target begins exactly where the generation prompt ends. Two
templates need care: reasoning templates whose generation prompt opens a `<think>` block, and templates that cut the
reasoning out of answers when they render a conversation. A target that a template would shorten is never used: the R1
family has a template for training here, used only where it renders the prompt as the base's own does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Example, Message

IGNORED = -100
"""Label of a token that is not learned."""
OPEN, CLOSE = "<think>", "</think>"
BASE_TEMPLATE, R1_TEMPLATE = "base", "deepseek-r1"
R1_MARK = "<｜Assistant｜>"
_PROBE = "LoRAGprobe"

Row = dict[str, list[int]]
"""`input_ids` and `labels` of one sequence, both of shape [tokens]."""


class Renderer:
    """Renders one turn at a time with a tokenizer and its chat template.

    Attributes:
        template: which template rendered the targets so far, `BASE_TEMPLATE` or `R1_TEMPLATE`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._shipped = ""
        if tokenizer.chat_template and R1_MARK in tokenizer.chat_template and CLOSE in tokenizer.chat_template:
            path = Path(__file__).parent / "templates" / f"{R1_TEMPLATE}.jinja"
            self._shipped = path.read_text(encoding="utf-8")
        self.template = BASE_TEMPLATE

    def rows(self, example: Example, learn: str, max_length: int) -> Iterator[tuple[Row, str]]:
        """The sequences of one example, each with the answer that is learned by it (empty for plain text).

        Args:
            example: a conversation gives one sequence an answer, or one in all; a text as many as it fills.
            learn: `TrainingSettings.learn`.
            max_length: a plain text is divided into sequences of this many tokens; a conversation is not.

        Raises:
            LoragError: DATASET_MALFORMED when the template refuses the conversation or drops some of its answer;
                INVALID_FIELD when the base has none.
        """
        if example.text:
            end = self._tokenizer.eos_token_id
            ids = [*self._ids(example.text), *([] if end is None else [end])]
            for i in range(0, len(ids), max_length):
                part = ids[i : i + max_length]
                yield {"input_ids": part, "labels": list(part)}, ""
            return
        turns = list(example.turns())
        for turn in turns if learn == "assistant" else turns[-1:]:
            row = self.tokens(turn, example.line)
            if learn == "all":
                row["labels"] = list(row["input_ids"])
            yield row, turn["completion"][0]["content"]

    def tokens(self, turn: dict[str, list[Message]], line: int) -> Row:
        """`input_ids` and `labels`, both of shape [tokens]; the prompt's labels are `IGNORED`.

        Raises:
            LoragError: DATASET_MALFORMED when the template refuses the conversation or drops some of its answer.
        """
        prompt, target = self.texts(turn, line)
        head, tail = self._ids(prompt), self._ids(target)
        return {"input_ids": head + tail, "labels": [IGNORED] * len(head) + tail}

    def texts(self, turn: dict[str, list[Message]], line: int) -> tuple[str, str]:
        """The prompt as it is served, and what the model is to say after it, its end-of-turn mark included."""
        answer = turn["completion"][0]["content"]
        prompt = self._render(turn["prompt"], line, generation=True)
        whole = self._render(turn["prompt"] + turn["completion"], line)
        if _keeps(whole, prompt, answer):
            return prompt, self._ended(whole[len(prompt) :])
        opened = prompt.rstrip().endswith(OPEN)
        if self._shipped:
            whole = self._render(turn["prompt"] + turn["completion"], line, self._shipped, opened_think=opened)
            if _keeps(whole, prompt, answer.split(CLOSE)[-1]):
                self.template = R1_TEMPLATE
                return prompt, self._ended(whole[len(prompt) :])
        if not opened:
            raise LoragError(
                Reason.DATASET_MALFORMED,
                f"Line {line}: the base model's chat template does not keep the whole answer; it would be learned cut.",
                remedy="Remove the reasoning from the answers, or give the base model a template that keeps it.",
                field="dataset",
            )
        # The prompt has opened the reasoning already: go on within it, or close it at once where there is none.
        said = answer.lstrip()
        said = said[len(OPEN) :].lstrip() if said.startswith(OPEN) else said
        body = said if CLOSE in said else f"\n{CLOSE}\n\n{said}"
        return prompt, self._ended(body + self._turn_end(turn["prompt"], line))

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _turn_end(self, prompt: list[Message], line: int) -> str:
        probed = self._render([*prompt, {"role": "assistant", "content": _PROBE}], line)
        return probed.rpartition(_PROBE)[2]

    def _ended(self, target: str) -> str:
        # Without a stop token at its end the model would never learn to stop.
        stops = [t for t in self._tokenizer.all_special_tokens if t]
        end = self._tokenizer.eos_token or ""
        return target if any(target.rstrip().endswith(t) for t in stops) else target + end

    def _render(
        self, messages: list[Message], line: int, template: str = "", *, generation: bool = False, **values: Any
    ) -> str:
        if not self._tokenizer.chat_template:
            raise LoragError(
                Reason.INVALID_FIELD,
                "The base model has no chat template, so nothing says how its prompts look.",
                remedy="Take an instruction-tuned base model, or add a chat_template.jinja to its folder.",
                field="base_model",
            )
        if template:
            values["chat_template"] = template
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=generation, **values
                )
            )
        except Exception as error:
            # Templates raise whatever they like, for roles they do not know above all.
            message = f"Line {line}: the base model's chat template refuses this conversation: {error}"
            raise LoragError(Reason.DATASET_MALFORMED, message, field="dataset") from error


def _keeps(whole: str, prompt: str, answer: str) -> bool:
    return whole.startswith(prompt) and answer.strip() in whole[len(prompt) :]
