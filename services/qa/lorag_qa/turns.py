"""Who is answered next: some at once, the others in turn, a turn for each caller; beyond a limit nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque

from lorag_common.errors import LoragError, Reason


class Turns:
    """A fair queue, for one event loop.

    Args:
        at_once: questions that are answered at the same time.
        waiting: questions that may wait; one more is refused.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free, self._limit = at_once, waiting
        # Callers in the order of their turns, each with its waiting questions, first come first.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(len(q) for q in self._queues.values())

    def take(self, caller: str) -> Ticket:
        """A place for a question of this caller. LoragError TOO_MANY_QUESTIONS."""
        if not self._free and self.waiting >= self._limit:
            raise LoragError(
                Reason.TOO_MANY_QUESTIONS, f"{self.waiting} questions are waiting already; no more are taken."
            )
        return Ticket(self, caller)

    def enter(self, caller: str) -> asyncio.Future[None]:
        """Done when it is this question's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._free:
            self._free -= 1
            turn.set_result(None)
        else:
            self._queues.setdefault(caller, deque()).append(turn)
        return turn

    def leave(self, caller: str, turn: asyncio.Future[None]) -> None:
        """The question is answered, or its caller went away while it waited."""
        if turn.done() and not turn.cancelled():
            self._free += 1
        else:
            turn.cancel()
            self._queues[caller].remove(turn)
            if not self._queues[caller]:
                del self._queues[caller]
        while self._free and self._queues:
            following, queue = self._queues.popitem(last=False)
            queue.popleft().set_result(None)
            self._free -= 1
            if queue:
                self._queues[following] = queue  # behind all others


class Ticket:
    """A question's place in the queue. Whoever holds one calls `give_up` at the end, whatever happens."""

    def __init__(self, turns: Turns, caller: str) -> None:
        self._turns, self._caller = turns, caller
        self._turn: asyncio.Future[None] | None = turns.enter(caller)
        self._taken = time.monotonic()

    async def come(self) -> float:
        """Wait for the turn; returns the seconds that it took."""
        if self._turn is not None:
            # Shielded: a wait that was cancelled must not look like a turn that was had.
            await asyncio.shield(self._turn)
        return time.monotonic() - self._taken

    def give_up(self) -> None:
        """Leave the queue or end the turn; more than once does no harm."""
        turn, self._turn = self._turn, None
        if turn is not None:
            self._turns.leave(self._caller, turn)
