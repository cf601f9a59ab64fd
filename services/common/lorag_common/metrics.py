"""Prometheus metrics of every service, at `/metrics` on a port of their own (LORAG_METRICS_PORT; 0 means none).

Rate, errors and duration of every RPC come from the one interceptor, those of HTTP requests from the gateway's middleware;
queue lengths are read from the job engine when Prometheus asks. Memory and processor time of the process come with the
client library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lorag_common.gpus import gpus
from lorag_common.settings import ServiceSettings

# From an answer out of memory to a stream that lasts as long as its job.
SECONDS = (0.005, 0.02, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
SCORES = tuple(n / 10 for n in range(1, 11))

RPCS = Counter("lorag_rpcs", "RPCs that ended, by status code.", ["method", "code"])
RPC_SECONDS = Histogram("lorag_rpc_seconds", "Duration of RPCs.", ["method"], buckets=SECONDS)
RPCS_RUNNING = Gauge("lorag_rpcs_running", "RPCs being served now.", ["method"])
REQUESTS = Counter("lorag_http_requests", "HTTP requests that ended, by status.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("lorag_http_request_seconds", "Duration of HTTP requests.", ["route"], buckets=SECONDS)
TOKENS = Counter("lorag_tokens", "Tokens through the model server for answers.", ["kind"])
RETRIEVAL_SCORE = Histogram(
    "lorag_retrieval_score", "Fused scores of the passages that searches return.", buckets=SCORES
)
WAITING = Gauge("lorag_answers_waiting", "Questions that wait for their turn.")


class _Jobs(Collector):
    """Jobs by kind and state, asked of the job engine at each scrape."""

    def __init__(self, count: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._count = count

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand; or registering would ask the job engine."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        family = GaugeMetricFamily("lorag_jobs", "Jobs that wait or run.", labels=["kind", "state"])
        for labels, number in self._count().items():
            family.add_metric(labels, number)
        yield family


class _Gpus(Collector):
    """Memory of each GPU that this service sees."""

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        total = GaugeMetricFamily("lorag_gpu_memory_bytes", "Memory of a GPU.", labels=["gpu", "name"])
        used = GaugeMetricFamily("lorag_gpu_memory_used_bytes", "Used memory of a GPU.", labels=["gpu", "name"])
        for number, gpu in enumerate(gpus()):
            total.add_metric((str(number), gpu.name), gpu.memory_bytes)
            used.add_metric((str(number), gpu.name), gpu.memory_used_bytes)
        yield from (total, used)


def serve(settings: ServiceSettings, jobs: Callable[[], Mapping[tuple[str, str], int]] | None = None) -> None:
    """Answer Prometheus from a thread of its own, where a port is set.

    Args:
        settings: `metrics_port` and `metrics_host`.
        jobs: how many jobs there are by (kind, state).

    Raises:
        OSError: the port is taken.
    """
    if not settings.metrics_port:
        return
    if jobs is not None:
        REGISTRY.register(_Jobs(jobs))
    REGISTRY.register(_Gpus())
    start_http_server(settings.metrics_port, settings.metrics_host)
