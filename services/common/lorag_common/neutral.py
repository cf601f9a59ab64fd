"""Foreign text made harmless for a prompt: nothing in it is a control token, a citation mark or an end of line of ours.

A prompt is tokenized with its control tokens recognised by their spelling; that is how a chat template works, and a server
that gets a finished prompt cannot know which spelling came from the template and which from a document. So the spelling
itself is broken: a space goes behind its first character. What is compared is the NFKC form in lower case, because some
tokenizers fold the text before they look.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

# Families of control tokens in use, as they look after folding: `<|…|>` (also DeepSeek's full-width bars), turn and
# sequence marks, reasoning and tool marks, Llama 2's and Mistral's brackets.
_FAMILIES = re.compile(
    r"<\|{1,2}[^<>|]{1,60}\|{1,2}>"
    r"|</?(?:s|bos|eos|pad|unk|mask|sep|cls|think|thinking|reasoning|tool_?calls?|tool_?responses?|tools?|system|user|"
    r"assistant|human|model|im_start|im_end|start_of_turn|end_of_turn|start_of_image|end_of_image|eot|eod|"
    r"begin_of_text|end_of_text|endoftext|fim_prefix|fim_middle|fim_suffix|extra_id_\d+|unused\d+|reserved_\d+)>"
    r"|\[/?(?:inst|sys|system_prompt|available_tools|tool_calls|tool_results|gmask|cls|sep|pad|unk|mask)\]|<</?sys>>"
)
_LINE_ENDS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_MARK = re.compile(r"[\[［〔【]\s*([0-9０-９]{1,3})\s*[\]］〕】]")


def neutralize(text: str, control: Collection[str] = (), *, lines: bool = False) -> str:
    """The text without invisible characters, and with every control token's spelling broken.

    Args:
        text: of a passage, a question or an earlier turn.
        control: spellings of the served model's own control tokens; the families in common use are always broken.
        lines: keep line ends; else they become one space.
    """
    parts = _LINE_ENDS.split(text)
    text = ("\n" if lines else " ").join("".join(filter(_visible, part)) for part in parts)
    tokens = sorted({f for t in control if (f := _fold(t)[0])}, key=len, reverse=True)
    own = re.compile("|".join(map(re.escape, tokens))) if tokens else None
    while spots := _spots(text, own):
        for spot in reversed(spots):
            text = f"{text[: spot + 1]} {text[spot + 1 :]}"
    return text


def without_marks(text: str) -> str:
    """`[3]` as `(3)`: a passage's own footnote marks, or forged ones, are no citations."""
    return _MARK.sub(lambda m: f"({unicodedata.normalize('NFKC', m[1])})", text)


def has_control(text: str, control: Collection[str] = ()) -> bool:
    """Whether a text holds the spelling of a control token."""
    return neutralize(text, control, lines=True) != "\n".join(
        "".join(filter(_visible, part)) for part in _LINE_ENDS.split(text)
    )


def _spots(text: str, own: re.Pattern[str] | None) -> list[int]:
    """Where spellings begin, as offsets in the text as it is."""
    folded, origin = _fold(text)
    found = {origin[m.start()] for pattern in (_FAMILIES, own) if pattern for m in pattern.finditer(folded)}
    return sorted(found)


def _fold(text: str) -> tuple[str, list[int]]:
    """NFKC in lower case, character by character, and for each character the offset of the one it comes from."""
    out: list[str] = []
    origin: list[int] = []
    for i, c in enumerate(text):
        folded = unicodedata.normalize("NFKC", c).lower()
        out.append(folded)
        origin += [i] * len(folded)
    return "".join(out), origin


def _visible(c: str) -> bool:
    """Tabs and everything but control and format characters, private use and unassigned code points."""
    return c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn", "Cs")
