"""Chat templates: qa renders, without transformers, what the training tokenizer renders; tokens are counted alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_BASE
from qa_parts import STOP, write_release

from lorag_common.errors import LoragError, Reason
from lorag_common.prompts import Passage, build_messages
from lorag_qa import releases
from lorag_qa.template import ChatTemplate

NONCE = "0a1b2c3d"
JA = build_messages("青森館の定員は何人ですか。", [Passage("青森館の定員は482人である。", "a.pdf", 1)], NONCE)
EN = build_messages(
    "What is the capacity?", [Passage("The capacity is 482. It is <full> & closed.", "b.pdf", 2)], NONCE
)
# Shaped like R1's: begins with bos, the system text stands bare, reasoning is cut out, the prompt opens the next one.
REASONING = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- set ns = namespace(system='') %}
{%- for m in messages %}{% if m['role'] == 'system' %}{% set ns.system = m['content'] %}{% endif %}{% endfor %}
{{- bos_token }}{{ ns.system }}
{%- for m in messages %}
    {%- if m['role'] == 'user' %}
        {{- '<U>' + m['content'] }}
    {%- elif m['role'] == 'assistant' %}
        {{- '<A>' + m['content'].split('</think>')[-1] + eos_token }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<A><think>\\n' }}
{%- endif %}"""
TEMPLATES = {
    "blocks on lines of their own": "{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}\n",
    "reasoning": REASONING,
    "generation tag": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "loop controls": "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "tojson": "{{ messages | tojson }}{{ messages | tojson(indent=2) }}",
    "tools when given": "{% if tools %}T{% endif %}{{ messages[0].content }}",
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers", reason="transformers is the reference for chat templates")
    return transformers.AutoTokenizer.from_pretrained(str(TINY_BASE))


def reference(tokenizer: Any, messages: list[dict[str, str]], template: str | None = None) -> str:
    return str(
        tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=True)
    )


@pytest.mark.parametrize("messages", [JA, EN], ids=["ja", "en"])
def test_renders_a_release_as_its_training_tokenizer_does(
    tmp_path: Path, tokenizer: Any, messages: list[dict[str, str]]
) -> None:
    write_release(tmp_path, "tiny:v1", TINY_BASE)
    release = releases.get(tmp_path, "tiny:v1")
    prompt = release.template.render(messages)
    assert prompt == reference(tokenizer, messages)
    assert prompt.endswith("<|im_start|>assistant\n")
    assert release.count(prompt) == len(tokenizer(prompt, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("messages", [JA, EN], ids=["ja", "en"])
def test_renders_other_templates_as_transformers_does(
    tokenizer: Any, name: str, messages: list[dict[str, str]]
) -> None:
    ours = ChatTemplate(TEMPLATES[name], bos=tokenizer.bos_token or "", eos=tokenizer.eos_token)
    assert ours.render(messages) == reference(tokenizer, messages, TEMPLATES[name])


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{% if tools is not none %}TOOLS{% endif %}x", id="tools is not none"),
        pytest.param("{% if documents is not none %}DOCUMENTS{% endif %}x", id="documents is not none"),
        pytest.param("{{ messages | tojson(ensure_ascii=True) }}", id="tojson with ensure_ascii"),
        pytest.param("{{ pad_token }}x", id="pad_token"),
    ],
)
def test_gives_templates_the_same_names_as_transformers(tokenizer: Any, template: str) -> None:
    ours = ChatTemplate(template, bos="", eos=tokenizer.eos_token, pad=tokenizer.pad_token)
    assert ours.render(EN) == reference(tokenizer, EN, template)


def test_a_reasoning_template_gets_bos_and_opens_the_reasoning() -> None:
    prompt = ChatTemplate(REASONING, bos="<B>", eos="<E>").render(JA)
    assert prompt == f"<B>{JA[0]['content']}<U>{JA[1]['content']}<A><think>\n"


def test_a_refusal_of_the_template_is_an_error_with_its_words() -> None:
    template = ChatTemplate("{{ raise_exception('no system role here') }}", bos="", eos="")
    with pytest.raises(LoragError, match="no system role here") as error:
        template.render(JA)
    assert error.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize(
    "attack",
    ["{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.append(1) }}", "{{ raise_exception.__globals__ }}"],
)
def test_a_template_cannot_leave_the_sandbox(attack: str) -> None:
    try:
        shown = ChatTemplate(attack, bos="", eos="").render(JA)
    except LoragError as error:
        assert error.reason is Reason.CONFIG_INVALID
    else:
        assert shown == ""


def test_reads_special_tokens_written_as_objects_and_a_template_inside_the_configuration(tmp_path: Path) -> None:
    folder = write_release(tmp_path, "tiny:v1", TINY_BASE)
    (folder / "chat_template.jinja").unlink()
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config |= {"bos_token": {"content": "<B>"}, "chat_template": "{{ bos_token }}|{{ eos_token }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    release = releases.get(tmp_path, "tiny:v1")
    assert release.template.render(JA) == "<B>|<|im_end|>"
    assert (release.model, release.stop) == ("tiny", tuple(STOP))


@pytest.mark.parametrize(
    "name", ["", "tiny", "tiny:v2", "tiny:v0", "tiny:latest", "../tiny:v1", "Tiny:v1", "llama3:8b"]
)
def test_names_that_are_not_a_release(tmp_path: Path, name: str) -> None:
    write_release(tmp_path, "tiny:v1", TINY_BASE)
    assert releases.find(tmp_path, name) is None
    with pytest.raises(LoragError) as error:
        releases.get(tmp_path, name)
    assert error.value.reason is Reason.RELEASE_NOT_FOUND


def test_a_release_made_anew_under_the_same_id_is_read_anew(tmp_path: Path) -> None:
    write_release(tmp_path, "tiny:v1", TINY_BASE, template="old")
    assert releases.get(tmp_path, "tiny:v1").template.render(JA) == "old"
    shutil.rmtree(tmp_path / "releases")
    write_release(tmp_path, "tiny:v1", TINY_BASE, template="new")
    assert releases.get(tmp_path, "tiny:v1").template.render(JA) == "new"
