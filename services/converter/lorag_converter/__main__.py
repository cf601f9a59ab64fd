"""`python -m lorag_converter`: settings -> wiring -> serve."""

from __future__ import annotations

import asyncio

import grpc

from lorag.converter.v1 import converter_pb2, converter_pb2_grpc
from lorag_common.data_folder import open_for_service
from lorag_common.jobs import Jobs
from lorag_common.serve import serve
from lorag_common.starting import exits_with_cause
from lorag_converter.service import Converter
from lorag_converter.servicer import ConverterServicer
from lorag_converter.settings import ConverterSettings


@exits_with_cause()
def main() -> None:
    """Serve until SIGTERM."""
    settings = ConverterSettings()
    open_for_service(settings.data)
    jobs = Jobs("converter", settings.data, {"conversion": 1, "publication": 1})
    converter = Converter(settings, jobs)

    def add_services(server: grpc.aio.Server) -> list[str]:
        converter_pb2_grpc.add_ConverterServiceServicer_to_server(ConverterServicer(converter), server)
        return [converter_pb2.DESCRIPTOR.services_by_name["ConverterService"].full_name]

    asyncio.run(serve(settings, service="converter", add_services=add_services, jobs=jobs))


if __name__ == "__main__":
    main()
