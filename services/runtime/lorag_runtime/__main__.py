"""`python -m lorag_runtime`: serve on loopback until SIGTERM."""

from __future__ import annotations

import uvicorn

from lorag_common import metrics
from lorag_common.data_folder import open_for_service
from lorag_common.log import configure
from lorag_common.starting import exits_with_cause
from lorag_runtime.app import create_app
from lorag_runtime.pool import Pool
from lorag_runtime.settings import RuntimeSettings
from lorag_runtime.store import Store


@exits_with_cause()
def main() -> None:
    """Settings -> wiring -> serve."""
    settings = RuntimeSettings()
    open_for_service(settings.data)
    configure("runtime", settings.log_level)
    metrics.serve(settings)
    store = Store(settings.folder)
    pool = Pool(store, settings.threads, settings.max_loaded, settings.num_ctx)
    uvicorn.run(
        create_app(store, pool),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
