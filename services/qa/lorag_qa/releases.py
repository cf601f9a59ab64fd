"""Reading a release: what qa needs to speak to the model as it was trained to be spoken to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from lorag_common.errors import LoragError, Reason
from lorag_qa.template import ChatTemplate

RELEASE_ID = re.compile(r"^([a-z0-9][a-z0-9._-]{0,63}):v([1-9][0-9]*)$")


@dataclass(frozen=True)
class Release:
    """A release's id, stop texts, chat template and tokenizer; and the spellings of its control tokens with their ids."""

    id: str
    stop: tuple[str, ...]
    template: ChatTemplate
    tokenizer: Tokenizer
    control: dict[str, int]

    @property
    def model(self) -> str:
        """Its name without the version."""
        return self.id.partition(":")[0]

    def count(self, text: str) -> int:
        """Tokens of a finished prompt; special tokens in it count as one each."""
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def control_tokens(self, text: str) -> list[int]:
        """The control tokens that a text is tokenized to, in order."""
        ids = set(self.control.values())
        return [i for i in self.tokenizer.encode(text, add_special_tokens=False).ids if i in ids]


def find(data: Path, release_id: str) -> Release | None:
    """The release of that id, or None when the name is not one of ours."""
    if not RELEASE_ID.match(release_id):
        return None
    folder = folder_of(data, release_id)
    if not (folder / "release.json").is_file():
        return None
    return _load(folder, (folder / "release.json").stat().st_mtime_ns)


def folder_of(data: Path, release_id: str) -> Path:
    """Where a release of that id is, or would be."""
    model, _, version = release_id.partition(":")
    return data / "releases" / model / version


def get(data: Path, release_id: str) -> Release:
    """The release of that id. LoragError RELEASE_NOT_FOUND."""
    if (release := find(data, release_id)) is None:
        raise LoragError(Reason.RELEASE_NOT_FOUND, f"There is no release '{release_id}'.", field="release_id")
    return release


@lru_cache(maxsize=8)
def _load(folder: Path, _changed: int) -> Release:
    certificate = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    separate = folder / "chat_template.jinja"
    source = separate.read_text(encoding="utf-8") if separate.exists() else str(config.get("chat_template") or "")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Release(
        id=certificate["id"],
        stop=tuple(certificate["prompt"]["stop"]),
        template=ChatTemplate(source, **{k: _token(config.get(f"{k}_token")) for k in ("bos", "eos", "pad")}),
        tokenizer=tokenizer,
        control=_control(tokenizer),
    )


def _control(tokenizer: Tokenizer) -> dict[str, int]:
    """Added tokens that mean something to the model: special ones, and others that are no plain word or white space."""
    added = tokenizer.get_added_tokens_decoder()
    return {
        t.content: i for i, t in added.items() if t.content.strip() and (t.special or not t.content.strip().isalnum())
    }


def _token(value: object) -> str:
    """A special token as tokenizer_config.json writes it: a text, or an object with its content."""
    if isinstance(value, dict):
        return str(value.get("content", ""))
    return str(value or "")
