"""What a request asks for, away from HTTP: bytes to a checked core object, one core call, bytes.

All of it can be sent to another process: a call says by name which operation it wants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from pydantic import ValidationError

from app.access.admission import Caller
from app.errors import MEDIA_TYPE, BodyError, ProblemDocument, describe_error
from app.logs import LogFormat, configure_logs, current_request_id
from app.operations import OPERATIONS
from app.operations.operation import Operation
from app.record import NO_FACTS, Facts, count_marks, measure_shapes
from app.wire.limits import DEFAULT_LIMITS, Limits
from app.wire.reading import parse_body
from app.wire.tensors import TENSORS_TYPE, encode_tensors, parse_tensors
from app.wire.writing import encode
from core.budget import Budget
from core.errors import CoreError
from core.grading import Grade

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request's part of an operation: ``reads`` and ``writes`` are media types, ``path`` the path's parameters."""

    operation: str
    raw: bytes | bytearray
    budget: Budget
    limits: Limits = DEFAULT_LIMITS
    reads: str = JSON_TYPE
    writes: str = JSON_TYPE
    request_id: str = ""
    caller: Caller
    path: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back, and what is known of it."""

    content: bytes | bytearray
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = NO_FACTS


def answer(operation: Operation, call: Call) -> Reply:
    """Read the body, compute and write the reply; a problem document where anything is wrong with the request."""
    token = current_request_id.set(call.request_id)
    try:
        body = read_body(operation, call)
        return body if isinstance(body, Reply) else compute(operation, body, call)
    finally:
        current_request_id.reset(token)


def answer_call(call: Call) -> Reply:
    """Answer a call by the operation that it names: what a worker process is asked for."""
    return answer(OPERATIONS[call.operation], call)


def warm_up(log_format: LogFormat | None = None) -> None:
    """Log as the service does, and build what reads bodies: the first request of each operation would wait for it."""
    configure_logs("warning", log_format)
    for operation in OPERATIONS.values():
        if operation.body is not None:
            _ = operation.adapter


def read_body(operation: Operation, call: Call) -> object:
    """Read the body: of the operation's class, or a `Reply` where the body is none."""
    parse = parse_tensors if call.reads == TENSORS_TYPE else parse_body
    try:
        return parse(operation.adapter, call.raw, limits=call.limits)
    except (BodyError, CoreError, ValidationError) as error:
        return _explain(error)


def compute(operation: Operation, body: object, call: Call) -> Reply:
    """Compute from a body as `read_body` returns it, and write the reply."""
    write = encode_tensors if call.writes == TENSORS_TYPE else encode
    shapes = measure_shapes(body)
    known = {"body": body, "budget": call.budget, "caller": call.caller, **call.path}
    try:
        found = operation.run(known)
        facts = count_marks(found, shapes) if isinstance(found, Grade) else shapes
        return Reply(content=write(found), media_type=call.writes, facts=facts)
    except (BodyError, CoreError, ValidationError) as error:
        return _explain(error, shapes)


def answer_problem(
    document: ProblemDocument, *, headers: Mapping[str, str] | None = None, facts: Facts = NO_FACTS
) -> Reply:
    """Answer with a problem document; ``facts`` are what is known beside its reason."""
    return Reply(
        content=orjson.dumps(document),
        media_type=MEDIA_TYPE,
        status=document.status,
        headers=dict(headers or {}),
        facts=replace(facts, reason=document.reason),
    )


def _explain(error: Exception, facts: Facts = NO_FACTS) -> Reply:
    headers = error.headers if isinstance(error, BodyError) else None
    return answer_problem(describe_error(error), headers=headers, facts=facts)
