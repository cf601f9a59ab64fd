"""The pages and the parts of them that are fetched again when something has changed."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from lorag.converter.v1 import converter_pb2
from lorag.indexer.v1 import indexer_pb2
from lorag.qa.v1 import qa_pb2
from lorag.trainer.v1 import trainer_pb2
from lorag_common.errors import LoragError, Reason
from lorag_common.resolve import local_base_models
from lorag_gateway.access.caller import needs
from lorag_gateway.access.keys import Scope
from lorag_gateway.bodies.releases import EstimateConversionBody
from lorag_gateway.bodies.shared import PageToken
from lorag_gateway.bodies.training import EstimateTrainingBody, PreviewTrainingBody
from lorag_gateway.job_lists import list_jobs
from lorag_gateway.pages.jobs_shown import asked
from lorag_gateway.pages.rendering import language_of, render, sample
from lorag_gateway.routes import releases as releases_api
from lorag_gateway.routes import training as training_api
from lorag_gateway.routes.deps import AuditDep, JobsDep, KeysDep, ServicesDep, SettingsDep
from lorag_gateway.routes.jobs import job_now
from lorag_gateway.routes.system import measure
from lorag_gateway.services import Services
from lorag_gateway.wire import to_json

router = APIRouter(include_in_schema=False)
SHOWN = 200
LATEST = 6


class Found(dict[str, Any]):
    """What a page shows; `problem` says what could not be had."""


async def _ask(services: Services, service: str, method: str, request: Any) -> Found:
    """One call of a page. A service that is down leaves a gap that says so, not an error page."""
    try:
        return Found(to_json(await services.call(service, getattr(getattr(services, service), method), request)))
    except LoragError as error:
        return Found(problem={"message": error.message, "remedy": error.remedy, "reason": str(error.reason)})


async def _datasets(services: Services) -> Found:
    return await _ask(services, "trainer", "ListDatasets", trainer_pb2.ListDatasetsRequest(page_size=SHOWN))


async def _adapters(services: Services) -> Found:
    return await _ask(services, "trainer", "ListAdapters", trainer_pb2.ListAdaptersRequest(page_size=SHOWN))


async def _config(services: Services) -> Found:
    return await _ask(services, "qa", "GetConfig", qa_pb2.GetConfigRequest())


async def _documents(services: Services, token: str = "") -> Found:
    request = indexer_pb2.ListDocumentsRequest(page_size=SHOWN, page_token=token)
    return await _ask(services, "indexer", "ListDocuments", request)


async def _releases(services: Services) -> Found:
    return await _ask(services, "converter", "ListReleases", converter_pb2.ListReleasesRequest(page_size=SHOWN))


async def _measured(services: Services) -> Found:
    """Releases with their certificates and evaluations read."""
    found = await _releases(services)
    for release in found.get("releases", []):
        release["certificate"] = json.loads(release["certificate_json"] or "{}")

    async def evaluate(release: dict[str, Any]) -> None:
        request = qa_pb2.GetEvaluationRequest(release_id=release["id"])
        release["evaluation"] = (await _ask(services, "qa", "GetEvaluation", request)).get("evaluation")

    await asyncio.gather(*map(evaluate, found.get("releases", [])))
    return found


@router.get("/")
async def overview(request: Request, services: ServicesDep, jobs: JobsDep, settings: SettingsDep) -> Response:
    """What is active, health, the machine, the latest jobs."""
    health, config, machine, latest, documents, listed = await asyncio.gather(
        services.health(),
        _config(services),
        asyncio.to_thread(measure, settings),
        list_jobs(services, jobs, LATEST),
        _documents(services),
        _releases(services),
    )
    return render(
        request,
        "overview.html",
        health=health,
        config=config,
        machine=machine,
        latest=latest,
        documents=documents,
        releases=listed,
        names=_names(documents),
    )


def _names(documents: Found) -> dict[str, str]:
    """Document id -> name, for jobs that are about documents."""
    return {d["id"]: d["name"] for d in documents.get("documents", [])}


@router.get("/training")
async def training(request: Request, services: ServicesDep, jobs: JobsDep, settings: SettingsDep) -> Response:
    """Data, preview, estimate, start, live chart."""
    datasets, documents, adapters, listed, running = await asyncio.gather(
        _datasets(services),
        _documents(services),
        _adapters(services),
        _releases(services),
        list_jobs(services, jobs, SHOWN),
    )
    work = [j for j in running["jobs"] if j["kind"] in ("training", "pipeline")][:1]
    used = [*adapters.get("adapters", []), *listed.get("releases", [])]
    return render(
        request,
        "training.html",
        datasets=datasets,
        documents=documents,
        bases=sorted({*local_base_models(settings), *(found["base_model"] for found in used)}),
        sample=sample(language_of(request)),
        work=work,
    )


@router.get("/parts/datasets")
async def datasets_part(request: Request, services: ServicesDep) -> Response:
    """The list of datasets."""
    return render(request, "parts/datasets.html", datasets=await _datasets(services))


@router.post("/parts/preview")
@needs(Scope.READ)
async def preview_part(request: Request, body: PreviewTrainingBody, services: ServicesDep) -> Response:
    """Examples token by token with the loss mask."""
    found = await training_api.preview_training(body, services)
    return render(request, "parts/preview.html", preview=json.loads(bytes(found.body)))


@router.post("/parts/training-estimate")
@needs(Scope.READ)
async def training_estimate_part(request: Request, body: EstimateTrainingBody, services: ServicesDep) -> Response:
    """What a training would need."""
    found = await training_api.estimate_training(body, services)
    return render(request, "parts/training_estimate.html", estimate=json.loads(bytes(found.body)))


@router.get("/models")
async def models(request: Request, services: ServicesDep) -> Response:
    """Adapters, releases side by side, and the way from one to the other."""
    adapters, listed, config = await asyncio.gather(_adapters(services), _measured(services), _config(services))
    return render(request, "models.html", adapters=adapters, releases=listed, config=config)


@router.get("/parts/releases")
async def releases_part(request: Request, services: ServicesDep) -> Response:
    """Releases side by side."""
    listed, config = await asyncio.gather(_measured(services), _config(services))
    return render(request, "parts/releases.html", releases=listed, config=config)


@router.get("/parts/adapters")
async def adapters_part(request: Request, services: ServicesDep) -> Response:
    """Adapters."""
    return render(request, "parts/adapters.html", adapters=await _adapters(services))


@router.post("/parts/conversion-estimate")
@needs(Scope.READ)
async def conversion_estimate_part(request: Request, body: EstimateConversionBody, services: ServicesDep) -> Response:
    """What a conversion would need, and which types the GPUs hold."""
    found = await releases_api.estimate_conversion(body, services)
    return render(request, "parts/conversion_estimate.html", estimate=json.loads(bytes(found.body)))


@router.get("/documents")
async def documents_page(request: Request, services: ServicesDep, page_token: PageToken = "") -> Response:
    """Upload and list."""
    documents, config = await asyncio.gather(_documents(services, page_token), _config(services))
    return render(request, "documents.html", documents=documents, config=config, token=page_token)


@router.get("/parts/documents")
async def documents_part(request: Request, services: ServicesDep, page_token: PageToken = "") -> Response:
    """The list of documents."""
    return render(request, "parts/documents.html", documents=await _documents(services, page_token))


@router.get("/documents/{document_id}")
async def document_page(
    request: Request,
    document_id: str,
    services: ServicesDep,
    page: Annotated[int, Query(ge=1, lt=2**31)] = 1,
    start: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    end: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    page_token: PageToken = "",
) -> Response:
    """One page of a document, a passage of it marked."""
    listed = indexer_pb2.ListPagesRequest(document_id=document_id, page_size=SHOWN, page_token=page_token)
    document, pages = await asyncio.gather(
        _ask(services, "indexer", "GetDocument", indexer_pb2.GetDocumentRequest(id=document_id)),
        _ask(services, "indexer", "ListPages", listed),
    )
    problem = document.get("problem")
    status = 404 if problem and problem["reason"] == Reason.DOCUMENT_NOT_FOUND else 200
    text = "" if problem else await _page_text(services, document_id, page)
    return render(
        request,
        "document.html",
        status,
        document=document,
        pages=pages,
        page=page,
        before=text[:start] if end > start else text,
        marked=text[start:end] if end > start else "",
        after=text[end:] if end > start else "",
        start=start,
        end=end,
    )


async def _page_text(services: Services, document_id: str, page: int) -> str:
    request = indexer_pb2.ExportTextRequest(document_id=document_id)
    async for found in services.stream("indexer", services.indexer.ExportText, request):
        if found.page == page:
            return str(found.text)
    return ""


@router.get("/ask")
async def ask(request: Request, services: ServicesDep) -> Response:
    """Questions and search."""
    config, documents, listed = await asyncio.gather(_config(services), _documents(services), _releases(services))
    return render(request, "ask.html", config=config, documents=documents, releases=listed)


@router.get("/jobs")
async def jobs_page(request: Request, services: ServicesDep, jobs: JobsDep, page_token: PageToken = "") -> Response:
    """All jobs."""
    latest, documents = await asyncio.gather(list_jobs(services, jobs, 50, page_token), _documents(services))
    return render(request, "jobs.html", latest=latest, names=_names(documents), token=page_token)


@router.get("/parts/jobs")
async def jobs_part(request: Request, services: ServicesDep, jobs: JobsDep, page_token: PageToken = "") -> Response:
    """The list of jobs."""
    latest, documents = await asyncio.gather(list_jobs(services, jobs, 50, page_token), _documents(services))
    return render(request, "parts/jobs.html", latest=latest, names=_names(documents))


@router.get("/parts/jobs/{job_id}")
async def job_part(request: Request, job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """One job's card."""
    return render(request, "parts/job.html", job=await job_now(job_id, services, jobs))


@router.get("/jobs/{job_id}")
async def job_page(request: Request, job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """One job: progress, chart, log."""
    job, documents = await asyncio.gather(job_now(job_id, services, jobs), _documents(services))
    spec = json.dumps(asked(job), indent=2, ensure_ascii=False)
    return render(request, "job.html", job=job, spec=spec, names=_names(documents))


@router.get("/settings")
async def settings_page(
    request: Request, services: ServicesDep, keys: KeysDep, audit: AuditDep, settings: SettingsDep
) -> Response:
    """Search model, weights, model server, keys."""
    config, index = await asyncio.gather(
        _config(services), _ask(services, "indexer", "GetIndex", indexer_pb2.GetIndexRequest())
    )
    caller = request.scope["lorag_caller"]
    admin = caller.scope >= Scope.ADMIN
    listed = await asyncio.to_thread(keys.list) if admin else []
    entries = await asyncio.to_thread(audit.read, 20) if admin else []
    return render(
        request,
        "settings.html",
        config=config,
        index=index,
        admin=admin,
        keys=[k.public() for k in listed],
        entries=entries,
        keys_required=settings.keys_required,
    )
