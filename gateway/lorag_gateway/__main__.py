"""`python -m lorag_gateway`: serve until SIGTERM."""

from __future__ import annotations

import sys

import uvicorn

from lorag_common import tls, tracing
from lorag_common.data_folder import open_for_service
from lorag_common.log import configure
from lorag_common.starting import exits_with_cause
from lorag_gateway.access.keys import Keys
from lorag_gateway.app import create_app
from lorag_gateway.settings import GatewaySettings

# Event streams last as long as their jobs; a stop does not wait for them.
DRAIN_SECONDS = 5


@exits_with_cause()
def main() -> None:
    """Settings -> application -> server."""
    settings = GatewaySettings()
    open_for_service(settings.data)
    tls.material()  # for its error, which would be a stack trace once the server is starting
    configure("gateway", settings.log_level)
    tracing.configure("gateway", settings.traces, settings.data)
    if settings.keys_required and not Keys(settings.data).list():
        sys.exit(
            f"The gateway is to listen on {settings.host}, beyond this machine, and there is no API key yet. "
            "Make one first: lorag key create NAME --scope admin"
        )
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main()
