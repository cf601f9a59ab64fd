"""Examples -> token ids, so that what is learned is what will be served.

When a model is served, the chat template is rendered up to the generation prompt, tokenized, and the model goes on from
there. So prompt and target are tokenized apart, and the target begins exactly where the generation prompt ends. Two
templates need care: reasoning templates whose generation prompt opens a `<think>` block, and templates that cut the
reasoning out of answers when they render a conversation. A target that a template would shorten is never used.
"""

from __future__ import annotations

from typing import Any

from lorag_common.errors import LoragError, Reason
from lorag_trainer.examples import Message

IGNORED = -100
"""Label of a token that is not learned."""
OPEN, CLOSE = "<think>", "</think>"
_PROBE = "LoRAGprobe"


class Renderer:
    """Renders one turn at a time with a tokenizer and its chat template.

    Raises:
        LoragError: INVALID_FIELD when the base model has no chat template.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise LoragError(
                Reason.INVALID_FIELD,
                "The base model has no chat template, so nothing says how its prompts look.",
                remedy="Take an instruction-tuned base model, or add a chat_template.jinja to its folder.",
                field="base_model",
            )
        self._tokenizer = tokenizer

    def tokens(self, turn: dict[str, list[Message]], line: int) -> dict[str, list[int]]:
        """`input_ids` and `labels`, both of shape [tokens]; the prompt's labels are `IGNORED`.

        Raises:
            LoragError: DATASET_MALFORMED when the template refuses the conversation or drops some of its answer.
        """
        prompt, target = self.texts(turn, line)
        head, tail = (self._tokenizer(t, add_special_tokens=False)["input_ids"] for t in (prompt, target))
        return {"input_ids": head + tail, "labels": [IGNORED] * len(head) + tail}

    def texts(self, turn: dict[str, list[Message]], line: int) -> tuple[str, str]:
        """The prompt as it is served, and what the model is to say after it, its end-of-turn mark included."""
        answer = turn["completion"][0]["content"]
        prompt = self._render(turn["prompt"], line, generation=True)
        whole = self._render(turn["prompt"] + turn["completion"], line)
        if whole.startswith(prompt) and answer.strip() in whole[len(prompt) :]:
            return prompt, self._ended(whole[len(prompt) :])
        if not prompt.rstrip().endswith(OPEN):
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

    def _turn_end(self, prompt: list[Message], line: int) -> str:
        probed = self._render([*prompt, {"role": "assistant", "content": _PROBE}], line)
        return probed.rpartition(_PROBE)[2]

    def _ended(self, target: str) -> str:
        # Without a stop token at its end the model would never learn to stop.
        stops = [t for t in self._tokenizer.all_special_tokens if t]
        end = self._tokenizer.eos_token or ""
        return target if any(target.rstrip().endswith(t) for t in stops) else target + end

    def _render(self, messages: list[Message], line: int, generation: bool = False) -> str:
        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation))
        except Exception as error:
            # Templates raise whatever they like, for roles they do not know above all.
            message = f"Line {line}: the base model's chat template refuses this conversation: {error}"
            raise LoragError(Reason.DATASET_MALFORMED, message, field="dataset") from error
