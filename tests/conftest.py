"""Shared by all tests: the count of what was skipped, at the end and aloud."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

# Two busy OpenMP threads on two cores make a training step many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(r.longrepr[2]) if isinstance(r.longrepr, tuple) else str(r.longrepr) for r in skipped)
    terminalreporter.section("what was skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:4d} x {reason}")
    terminalreporter.write_line(f"{len(skipped)} skipped in all")
