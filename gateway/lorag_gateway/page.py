"""The plain page at `/`: what runs, and where to go on. In Japanese or English, by what the browser asks for."""

from __future__ import annotations

from html import escape
from typing import Any

_WORDS = {
    "ja": {
        "lead": "あなたの文書と例から、出典つきで答える自分専用のモデルを作ります。",
        "part": "部分",
        "state": "状態",
        "address": "アドレス",
        "well": "稼働中",
        "ill": "応答なし",
        "model_server": "モデルサーバー",
        "ok": "すべて稼働しています。",
        "degraded": "応答しない部分があります。`lorag up` の表示を確かめてください。",
        "docs": "APIの説明",
    },
    "en": {
        "lead": "From your documents and examples, a private model that answers with its sources.",
        "part": "Part",
        "state": "State",
        "address": "Address",
        "well": "running",
        "ill": "no answer",
        "model_server": "model server",
        "ok": "Everything is running.",
        "degraded": "Some parts do not answer; look at what `lorag up` prints.",
        "docs": "API documentation",
    },
}
_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;line-height:1.6}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}"
    ".ill{color:#b00020;font-weight:600}.well{color:#0a7d32}:root{color-scheme:light dark}"
)


def language_for(accept: str) -> str:
    """The better of ja and en for an Accept-Language header; en when it names neither."""
    best, weight = "en", 0.0
    for part in accept.split(","):
        tag, _, parameter = part.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            q = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            q = 0.0
        language = tag.strip().lower().partition("-")[0]
        if language in _WORDS and q > weight:
            best, weight = language, q
    return best


def render(health: dict[str, Any], accept: str) -> str:
    """The page for one state of health."""
    language = language_for(accept)
    words = _WORDS[language]
    parts = {**health["services"], words["model_server"]: health["model_server"]}
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class={_class(part)}>{words[_class(part)]}</td>"
        f"<td>{escape(part['address'])}</td></tr>"
        for name, part in parts.items()
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>LoRAG</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>LoRAG</h1><p>{words['lead']}</p><p>{words[health['status']]}</p>"
        f"<table><tr><th>{words['part']}</th><th>{words['state']}</th><th>{words['address']}</th></tr>{rows}</table>"
        f'<p><a href="/docs">{words["docs"]}</a></p></body></html>'
    )


def _class(part: dict[str, Any]) -> str:
    return "well" if part["status"] == "SERVING" else "ill"
