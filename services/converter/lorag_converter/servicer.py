"""ConverterService: decodes, calls, encodes."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any, TypeAlias

import grpc

from lorag.converter.v1 import converter_pb2 as pb
from lorag.converter.v1 import converter_pb2_grpc
from lorag_common.job_servicer import job_to_proto, timestamp
from lorag_common.paging import page_of
from lorag_converter.planner import largest
from lorag_converter.service import Converter

Context: TypeAlias = grpc.aio.ServicerContext


class ConverterServicer(converter_pb2_grpc.ConverterServiceServicer):
    """Over a `Converter`."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter

    async def EstimateConversion(
        self, request: pb.EstimateConversionRequest, context: Context
    ) -> pb.EstimateConversionResponse:
        found, kv, fits = await asyncio.to_thread(
            self._converter.estimate,
            quantization=request.quantization,
            gpus=request.gpu_memory_bytes,
            context=request.context_tokens,
            parallel=request.parallel_requests,
            **_source(request.source),
        )
        return pb.EstimateConversionResponse(
            ram_bytes=found.ram_bytes,
            disk_bytes=found.disk_bytes,
            publish_disk_bytes=found.publish_disk_bytes,
            seconds=found.seconds,
            fits=found.fits,
            advice=found.advice,
            kv_cache_bytes=kv,
            options=[
                pb.QuantizationFit(
                    quantization=f.quantization,
                    weight_bytes=f.weight_bytes,
                    total_bytes=f.total_bytes,
                    fits=f.fits,
                    expected_kl=f.expected_kl,
                )
                for f in fits
            ],
            recommended_quantization=largest(fits),
        )

    async def StartConversion(self, request: pb.StartConversionRequest, context: Context) -> pb.StartConversionResponse:
        record = await asyncio.to_thread(
            self._converter.start_conversion,
            model=request.model,
            quantization=request.quantization,
            request_id=request.request_id,
            **_source(request.source),
        )
        return pb.StartConversionResponse(job=job_to_proto(record))

    async def StartPublication(
        self, request: pb.StartPublicationRequest, context: Context
    ) -> pb.StartPublicationResponse:
        record, needed, fits = await asyncio.to_thread(
            self._converter.start_publication,
            request.release_id,
            system=request.system,
            license=request.license,
            request_id=request.request_id,
        )
        return pb.StartPublicationResponse(job=job_to_proto(record), disk_bytes=needed, fits=fits)

    async def GetRelease(self, request: pb.GetReleaseRequest, context: Context) -> pb.GetReleaseResponse:
        return pb.GetReleaseResponse(release=_release(await asyncio.to_thread(self._converter.release, request.id)))

    async def ListReleases(self, request: pb.ListReleasesRequest, context: Context) -> pb.ListReleasesResponse:
        page = page_of(request.page_size, request.page_token)
        rows = (await asyncio.to_thread(self._converter.releases, request.model))[page.offset :]
        return pb.ListReleasesResponse(
            releases=[_release(r) for r in rows[: page.size]], next_page_token=page.next_token(len(rows))
        )


def _source(source: pb.ConversionSource) -> dict[str, Any]:
    return {"path": source.path, "base_only": source.base_only, "base_model": source.base_model}


def _release(certificate: dict[str, Any]) -> pb.Release:
    created = datetime.fromisoformat(certificate["create_time"]).timestamp()
    return pb.Release(
        id=certificate["id"],
        model=certificate["model"],
        version=certificate["version"],
        uri=certificate["uri"],
        base_model=certificate["base_model"],
        adapter_uri=(certificate["adapter"] or {}).get("uri", ""),
        quantization=certificate["quantization"],
        sha256=certificate["gguf"]["sha256"],
        size=certificate["gguf"]["size"],
        published=bool(certificate["published"]),
        create_time=timestamp(created),
        certificate_json=json.dumps(certificate, ensure_ascii=False),
    )
