"""What becomes known of a request on its way, for its log line and the metrics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.types import Scope

from app.watch.facts import NOTHING, Facts

if TYPE_CHECKING:
    # which itself knows of problem documents, and those of this
    from app.bulk import Summary


@dataclass(slots=True)
class Record:
    """What whoever answers a request writes down of it."""

    facts: Facts = NOTHING
    """What came with the answer."""
    summary: "Summary | None" = None
    """Of a bulk request, counted while it is marked."""


def record_of(scope: Scope) -> Record:
    """Return the record of a request.

    Parameters
    ----------
    scope : dict
        As ASGI has it.

    Returns
    -------
    Record
    """
    return cast("Record", scope["state"]["record"])
