"""How many bytes all requests hold together, in memory or in temporary files, and nobody more than a fair part."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from starlette.datastructures import Headers
from starlette.types import Scope

from app.work.queue import BusyError

SMALL_BYTES = 32 * 1024
"""What a request may hold whatever others do: connections and queues bound how many there are."""


def find_holder(scope: Scope, client_header: str) -> str:
    """Name who holds what a request does: the key's name, or else the client that the proxy's header names last.

    Without such a header it is the address of the connection: any client can send one where no proxy replaces it.
    What a token admits is too small to need a holder of its own.
    """
    key: str = scope.get("state", {}).get("key", "")
    # the client itself may have sent what stands before the last entry
    entries = ",".join(Headers(scope=scope).getlist(client_header)) if client_header else ""
    return key or entries.rpartition(",")[2].strip() or (scope.get("client") or ("",))[0]


class MemoryBudget:
    """The bytes that all requests may hold together.

    A holder alone may use all of it. Still half of it is left for the others, because no holder counts for more than
    half: at most one and a half times the budget are in use. A holder's only request may be larger than what is left,
    if the others use at most half; alone it may be as large as its own limit.
    """

    def __init__(self, most: int, code: str, where: str) -> None:
        self.total = 0
        """The bytes held now."""
        # threads reserve, too
        self.lock = Lock()
        self._most, self._code, self._where = most, code, where
        self._held: Counter[str] = Counter()
        # with no holder counted for more than half
        self._counted = 0

    @contextmanager
    def open(self, holder: str) -> Iterator["Reservation"]:
        """Hold nothing at first, and release everything at the end."""
        reservation = Reservation(self, holder)
        try:
            yield reservation
        finally:
            reservation.release()

    def require_room(self, holder: str, size: int, more: int) -> None:
        """Raise a `BusyError` where a request that holds ``size`` bytes may not hold ``more`` beside."""
        if size + more <= SMALL_BYTES:
            return
        half, held = self._most // 2, self._held[holder]
        others = self._counted - min(held, half)
        is_only = size == held and others <= half and (not others or self.total + more <= self._most + half)
        if others + held + more > self._most and not is_only:
            raise BusyError(
                self._code, f"unanswered requests would take more than {self._most} bytes {self._where}, the maximum"
            )

    def count(self, holder: str, more: int) -> None:
        """Count bytes that a holder holds from now on; fewer, where there are less than none."""
        half, before = self._most // 2, self._held[holder]
        self.total += more
        self._held[holder] += more
        self._counted += min(before + more, half) - min(before, half)
        if not self._held[holder]:
            del self._held[holder]


class Reservation:
    """What one request holds of a budget."""

    def __init__(self, budget: MemoryBudget, holder: str) -> None:
        self._budget, self._holder, self.size = budget, holder, 0

    def grow(self, more: int) -> None:
        """Hold more bytes; raise a `BusyError` where there is no room for them."""
        with self._budget.lock:
            self._budget.require_room(self._holder, self.size, more)
            self._count(more)

    def reserve(self, size: int) -> None:
        """Hold at least so many bytes; raise a `BusyError` where there is no room for them."""
        if size > self.size:
            self.grow(size - self.size)

    def resize(self, size: int) -> None:
        """Hold just so many bytes, whatever was reserved, because they are there."""
        with self._budget.lock:
            self._count(size - self.size)

    def release(self) -> None:
        """Hold nothing."""
        self.resize(0)

    def _count(self, more: int) -> None:
        self.size += more
        self._budget.count(self._holder, more)
