"""What can be known of the deployment without an engine; the rest is in tests/compose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from lorag_common import metrics

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy").glob("compose.*.yml"))]
IMAGES = {p.stem: set(p.read_text().split()) for p in (ROOT / "requirements" / "images").glob("*.txt")}


class Loader(yaml.SafeLoader):
    """Knows compose's own tags."""


Loader.add_constructor("!override", lambda loader, node: loader.construct_mapping(node))


def test_every_setting_of_the_compose_files_is_explained_with_its_default() -> None:
    explained = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    base = (ROOT / "docker-compose.yml").read_text()
    used = dict(re.findall(r"\$\{([A-Z_]+):?-([^}]*)\}", base))
    used |= {
        n: d for path in FILES for n, d in re.findall(r"\$\{([A-Z_]+):?-([^}]*)\}", path.read_text()) if n not in used
    }
    assert {n: explained.get(n) for n in used} == used
    passed_on = set(re.findall(r"^ +([A-Z_]+):\s*$", base, flags=re.MULTILINE))
    assert set(explained) - set(used) <= passed_on


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_ports_are_published_on_loopback_only(path: Path) -> None:
    services = yaml.load(path.read_text(), Loader)["services"]
    ports = [p for s in services.values() for p in s.get("ports", [])]
    assert all(p.startswith("127.0.0.1:") for p in ports), ports


def test_torch_is_in_two_images_only_and_everything_in_the_lock() -> None:
    assert set(IMAGES) == {"gateway", "trainer", "converter", "indexer", "qa", "runtime"}
    lock = set(re.findall(r"^([a-z0-9][^=]*)==", (ROOT / "requirements" / "lock.txt").read_text(), flags=re.MULTILINE))
    for service, names in IMAGES.items():
        assert names <= lock, service
        assert ("transformers" in names) == (service in ("trainer", "converter"))
        assert not {n for n in names if n.startswith(("torch", "nvidia", "triton"))}


def test_images_hold_what_their_distributions_ask_for() -> None:
    folders = {s: [ROOT / "services" / s] for s in IMAGES if s != "gateway"} | {
        "gateway": [ROOT / "gateway", ROOT / "cli"]
    }
    for service, own in folders.items():
        for folder in [*own, ROOT / "services" / "common", ROOT / "protos"]:
            wanted = re.findall(
                r'^  "([A-Za-z0-9-]+)[<>=~"]', (folder / "pyproject.toml").read_text(), flags=re.MULTILINE
            )
            missing = {n.lower() for n in wanted if not n.startswith("lorag-")} - IMAGES[service] - {"torch"}
            assert not missing, f"{service}: {missing}; run `make lock`"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((ROOT / "deploy/observe/grafana/dashboards/lorag.json").read_text())
    asked = {m for p in dashboard["panels"] for t in p["targets"] for m in re.findall(r"lorag_\w+", t["expr"])}
    families = [
        m for v in vars(metrics).values() if hasattr(v, "describe") and hasattr(v, "_name") for m in v.describe()
    ]
    known = {f"{f.name}{end}" for f in families for end in ("", "_total", "_bucket", "_count")}
    assert asked - known == {"lorag_jobs", "lorag_gpu_memory_bytes", "lorag_gpu_memory_used_bytes"}, (
        "made at the scrape"
    )


def test_prometheus_asks_every_service() -> None:
    config = yaml.safe_load((ROOT / "deploy/observe/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert {t.partition(":")[0] for t in job["static_configs"][0]["targets"]} == set(IMAGES)
