"""Templates, languages and the looks that a visitor chose."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from lorag_gateway.pages import jobs_shown
from lorag_gateway.pages.static_files import missing_libraries

HERE = Path(__file__).parent
STATIC = HERE / "static"
LANGUAGES = ("ja", "en")
THEMES = ("auto", "light", "dark")
NAVIGATION = (
    ("/", "overview"),
    ("/training", "training"),
    ("/models", "models"),
    ("/documents", "documents"),
    ("/ask", "ask"),
    ("/jobs", "jobs"),
    ("/settings", "settings"),
)


@cache
def words(language: str) -> dict[str, str]:
    """Every text of the pages in a language; `reason.<REASON>` where the error table's own is in another."""
    found: dict[str, str] = json.loads((HERE / "words" / f"{language}.json").read_text(encoding="utf-8"))
    reasons = HERE / "words" / f"reasons.{language}.json"
    if reasons.exists():
        found |= {f"reason.{k}": v for k, v in json.loads(reasons.read_text(encoding="utf-8")).items()}
    return found


@cache
def sample(language: str) -> str:
    """A dataset of a few examples, to learn the form from."""
    return (STATIC / "samples" / f"{language}.jsonl").read_text(encoding="utf-8")


def language_of(request: Request) -> str:
    """What the visitor chose (`?lang=`, then the cookie), else the better of ja and en by Accept-Language."""
    for chosen in (request.query_params.get("lang"), request.cookies.get("lang")):
        if chosen in LANGUAGES:
            return chosen
    return preferred(request.headers.get("accept-language", ""))


def preferred(accept: str) -> str:
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
        if language in LANGUAGES and q > weight:
            best, weight = language, q
    return best


def size(n: float) -> str:
    """Bytes for people."""
    value, units = float(n), ["B", "KB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def state(value: str) -> str:
    """A state's word: JOB_STATE_RUNNING -> running."""
    return value.rpartition("STATE_")[2].lower()


def moment(value: str) -> str:
    """A time as the day and the minute, UTC; the page turns it into local time."""
    return datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M") if value else ""


def embedded(value: Any) -> Markup:
    """JSON for a data block of a page; `<` is escaped, so that no text can end the block."""
    return Markup(json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": size, "state": state, "moment": moment, "embedded": embedded}
    environment.filters |= {
        "asked": jobs_shown.asked,
        "subject": jobs_shown.subject,
        "stages": jobs_shown.stages,
        "lasted": jobs_shown.lasted,
        "lasting": jobs_shown.lasting,
    }
    return environment


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page or a part of one."""
    language = language_of(request)
    theme = request.cookies.get("theme", "auto")
    caller = request.scope.get("lorag_caller")
    html = (
        _environment()
        .get_template(template)
        .render(
            t=words(language),
            language=language,
            theme=theme if theme in THEMES else "auto",
            navigation=NAVIGATION,
            path=request.url.path,
            missing=missing_libraries(STATIC),
            caller=caller,
            signed_in=request.app.state.settings.keys_required and caller is not None,
            **values,
        )
    )
    response = HTMLResponse(html, status)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie("lang", language, max_age=31_536_000, samesite="strict")
    return response
