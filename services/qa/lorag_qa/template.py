"""Rendering a chat template as the training tokenizer does: same Jinja settings, same names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.parser
import jinja2.sandbox

from lorag_common.errors import LoragError, Reason


class GenerationTag(jinja2.ext.Extension):
    """`{% generation %}`: marks for training what the assistant says; nothing to do when serving."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> Any:
        """Keep the body, drop the marks."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled template. Models' templates are foreign code: it runs in Jinja's sandbox."""

    def __init__(self, source: str, *, bos: str, eos: str, pad: str = "") -> None:
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._template = environment.from_string(source)
        self._names = {"bos_token": bos, "eos_token": eos, "pad_token": pad, "tools": None, "documents": None}
        self.empty = not source.strip()

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt, ending where the assistant begins. LoragError CONFIG_INVALID when the template refuses."""
        try:
            return self._template.render(messages=list(messages), add_generation_prompt=True, **self._names)
        except jinja2.TemplateError as error:
            raise LoragError(
                Reason.CONFIG_INVALID, f"The release's chat template refused the conversation: {error}"
            ) from error


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
