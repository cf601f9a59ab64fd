"""What a route may ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from lorag_common.jobs import Jobs
from lorag_gateway.access.audit import Audit
from lorag_gateway.access.caller import Caller, Sessions
from lorag_gateway.access.keys import Keys
from lorag_gateway.kept_answers import KeptAnswers
from lorag_gateway.services import Services
from lorag_gateway.settings import GatewaySettings
from lorag_gateway.watching import Watching


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _watching(request: Request) -> Watching:
    watching: Watching = request.app.state.watching
    return watching


def _keys(request: Request) -> Keys:
    keys: Keys = request.app.state.keys
    return keys


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


def _settings(request: Request) -> GatewaySettings:
    settings: GatewaySettings = request.app.state.settings
    return settings


def _kept_answers(request: Request) -> KeptAnswers:
    kept: KeptAnswers = request.app.state.kept_answers
    return kept


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["lorag_caller"]
    return caller


ServicesDep = Annotated[Services, Depends(_services)]
JobsDep = Annotated[Jobs, Depends(_jobs)]
WatchingDep = Annotated[Watching, Depends(_watching)]
KeptAnswersDep = Annotated[KeptAnswers, Depends(_kept_answers)]
CallerDep = Annotated[Caller, Depends(_caller)]
KeysDep = Annotated[Keys, Depends(_keys)]
SessionsDep = Annotated[Sessions, Depends(_sessions)]
AuditDep = Annotated[Audit, Depends(_audit)]
SettingsDep = Annotated[GatewaySettings, Depends(_settings)]
