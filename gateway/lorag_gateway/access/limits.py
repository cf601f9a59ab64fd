"""How much one caller may ask for: a token bucket for requests, and a ceiling on open event streams."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict

from lorag_common.errors import LoragError, Reason

CALLERS = 10_000


class TooMany(LoragError):
    """TOO_MANY_REQUESTS with the seconds to wait."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(Reason.TOO_MANY_REQUESTS, message)
        self.seconds = seconds


class Rate:
    """A token bucket a caller (https://en.wikipedia.org/wiki/Token_bucket): bursts of a minute's worth, then a steady rate.

    Args:
        per_minute: requests; 0 means no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one request.

        Raises:
            TooMany: the bucket is empty.
        """
        if not self._per_minute:
            return
        now = time.monotonic()
        left, then = self._buckets.pop(caller, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - then) * self._per_minute / 60)
        granted = left >= 1
        self._buckets[caller] = (left - granted, now)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        if not granted:
            raise TooMany(f"More than {self._per_minute} requests a minute.", max(1, round(60 / self._per_minute)))


class Open:
    """How many requests a caller may have open at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, caller: str) -> None:
        """Count one in.

        Raises:
            TooMany: too many are open.
        """
        if self._open[caller] >= self._most:
            raise TooMany(f"More than {self._most} requests are open at once.", 5)
        self._open[caller] += 1

    def leave(self, caller: str) -> None:
        """Count one out."""
        self._open[caller] -= 1
        if not self._open[caller]:
            del self._open[caller]
