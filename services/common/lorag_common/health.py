"""`python -m lorag_common.health`: whether the service of this container is well; for container health checks.

Asks gRPC's health service at 127.0.0.1:LORAG_PORT, or where LORAG_HEALTH is an address, that address by HTTP. Exit status
0 when it is well; otherwise 1, and one line says why.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

SECONDS = 4.0


def main() -> int:
    """Ask once."""
    address = os.environ.get("LORAG_HEALTH", "")
    problem = _http(address) if address else _grpc(f"127.0.0.1:{os.environ.get('LORAG_PORT', '')}")
    if problem:
        print(problem)
    return int(bool(problem))


def _http(url: str) -> str:
    """What is wrong; empty when nothing is."""
    # No proxy from the environment: this asks its own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS):
            return ""
    except (urllib.error.URLError, OSError) as error:
        return f"{url}: {error}"


def _grpc(address: str) -> str:
    """What is wrong; empty when nothing is."""
    # Imported here, since the HTTP services are asked without it, several times a minute.
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from lorag_common.channel import open_blocking_channel

    with open_blocking_channel(address) as channel:
        try:
            found = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError as error:
            return f"{address}: {error.code()}"
    serving = health_pb2.HealthCheckResponse.SERVING
    return "" if found.status == serving else f"{address}: not serving"


if __name__ == "__main__":
    sys.exit(main())
