"""What the log says of a request: how it went, never what it held."""

import logging
from collections.abc import Mapping
from typing import Any

from app.record import facts_of
from app.watch.exchange import Exchange, find_trace_id

logger = logging.getLogger("gradmark.requests")

ALWAYS: Mapping[str, str] = {
    "time": "When it was written, in UTC (ISO 8601).",
    "level": "`INFO`; `DEBUG` where health, version and metrics are answered 200.",
    "logger": "`gradmark.requests`; other lines come from others.",
    "message": "`request`.",
    "request_id": "The id in `X-Request-ID`, as it was sent or as it was chosen.",
    "method": "The method; `other` for one that no route could have.",
    "route": "The route's template, never the path; `unmatched` where there is none.",
    "status": "The reply's status; 0 where none was sent.",
    "ms": "Milliseconds from the request's head to the reply's end.",
    "received_bytes": "Bytes of the body that were read.",
    "sent_bytes": "Bytes of the reply's body.",
}
"""What every line says."""

SOMETIMES: Mapping[str, str] = {
    "trace_id": "The trace that a valid `traceparent` names.",
    "key": "The name of the key that was sent.",
    "n_samples": "How many samples the problem has.",
    "widths": "How wide its inputs and its layers' outputs are, the first 16.",
    "lines": "How many lines of a bulk request were answered.",
    "reason": "Why it was refused: the problem document's first code, or its kind.",
    "cut_off": "True where the reply was not finished: the client left while it was sent, or the service ended.",
}
"""What a line says where there is something to say."""

FIELDS: Mapping[str, str] = {**ALWAYS, **SOMETIMES}


def write_line(exchange: Exchange, seconds: float) -> None:
    """Write the line of a request that is over to the log."""
    # probes and scrapes come all the time, and say something where they fail
    level = logging.DEBUG if exchange.is_routine else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, "request", extra=describe_exchange(exchange, seconds))


def describe_exchange(exchange: Exchange, seconds: float) -> Mapping[str, Any]:
    """Return the fields of a request's line: `ALWAYS`, and of `SOMETIMES` what there is to say."""
    scope, facts = exchange.scope, facts_of(exchange.scope)
    said: dict[str, Any] = {
        "request_id": exchange.request_id,
        "trace_id": find_trace_id(scope),
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "ms": round(1000 * seconds, 3),
        "received_bytes": exchange.received_bytes,
        "sent_bytes": exchange.sent_bytes,
        "n_samples": facts.n_samples,
        "widths": facts.widths,
        "lines": facts.marks.lines if facts.marks else 0,
        "reason": exchange.reason,
        "key": scope["state"].get("key", ""),
        "cut_off": facts.is_cut or not exchange.is_whole,
    }
    return {name: value for name, value in said.items() if value or name in ALWAYS}
