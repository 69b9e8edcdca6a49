"""What a request asks for, away from HTTP: bytes to a checked core object, one core call, bytes.

All of it can be sent to another process: a call says by name which computation it wants.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, Protocol, cast

import orjson
from asgi_correlation_id import correlation_id
from pydantic import TypeAdapter, ValidationError

from app.access.admission import Caller
from app.errors import MEDIA_TYPE, BodyError, ProblemDocument, describe_error
from app.record import NOTHING, Facts, count_marks, measure_shapes
from app.schemas.compute_bodies import Work
from app.wire import DEFAULT_LIMITS, TENSORS_TYPE, Limits, encode, encode_tensors, parse_body, parse_tensors
from core.budget import Budget
from core.errors import CoreError
from core.grading import Grade

JSON_TYPE = "application/json"


class Estimated(Protocol):
    """A body that can say what it takes."""

    def work(self) -> Work | None:
        """Return what the computation takes; None where that is long to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request's part of a computation.

    Parameters
    ----------
    computation : str
        Its name.
    raw : bytes or bytearray
        The body.
    budget : Budget
        What it may hold and do.
    limits : Limits
        What the body may be like.
    reads, writes : str
        The media types of body and reply.
    request_id : str
        For problem documents.
    caller : Caller
        Who asks.
    path : mapping of str to str
        What stands in the route's path.
    """

    computation: str
    raw: bytes | bytearray
    budget: Budget
    limits: Limits = DEFAULT_LIMITS
    reads: str = JSON_TYPE
    writes: str = JSON_TYPE
    request_id: str = ""
    caller: Caller
    path: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back, and what is known of it."""

    content: bytes | bytearray
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = NOTHING


@dataclass(frozen=True, slots=True, eq=False)
class Computation:
    """A handler with the class of its body.

    Parameters
    ----------
    adapter : TypeAdapter
        Reads the body.
    handler : callable
        ``handler(body, budget)`` returns what `encode` writes; it may take ``caller`` and, by name, what stands in
        the path as well.
    is_estimated : bool
        Whether bodies can say what computing from them takes.
    """

    name: str
    adapter: TypeAdapter[Any]
    handler: Callable[..., object]
    is_estimated: bool
    further: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "further", tuple(signature(self.handler).parameters)[2:])

    def estimate(self, body: object) -> Work | None:
        """Return what computing from a body takes, or None where that shows only on the way.

        Parameters
        ----------
        body : object
            As `read` gives it.
        """
        return cast("Estimated", body).work() if self.is_estimated else None

    def answer(self, call: Call) -> Answer:
        """Do all of it.

        Returns
        -------
        Answer
            A problem document where anything is wrong with the request.
        """
        token = correlation_id.set(call.request_id)
        try:
            body = self.read(call)
            return body if isinstance(body, Answer) else self.compute(body, call)
        finally:
            correlation_id.reset(token)

    def read(self, call: Call) -> object:
        """Read the body.

        Returns
        -------
        object
            Of the adapter's class; an `Answer` where the body is none.
        """
        parse = parse_tensors if call.reads == TENSORS_TYPE else parse_body
        try:
            return parse(self.adapter, call.raw, limits=call.limits)
        except (BodyError, CoreError, ValidationError) as error:
            return _explain(error)

    def compute(self, body: object, call: Call) -> Answer:
        """Compute from a body, and write the reply.

        Parameters
        ----------
        body : object
            As `read` gives it.
        """
        write = encode_tensors if call.writes == TENSORS_TYPE else encode
        shapes = measure_shapes(body)
        try:
            known = {"caller": call.caller, **call.path} if self.further else {}
            found = self.handler(body, call.budget, **{name: known[name] for name in self.further})
            facts = count_marks(found, shapes) if isinstance(found, Grade) else shapes
            return Answer(content=write(found), media_type=call.writes, facts=facts)
        except (BodyError, CoreError, ValidationError) as error:
            return _explain(error, shapes)


def answer_problem(
    document: ProblemDocument, *, headers: Mapping[str, str] | None = None, facts: Facts = NOTHING
) -> Answer:
    """Answer with a problem document.

    Parameters
    ----------
    facts : Facts, optional
        What is known beside the reason.
    """
    return Answer(
        content=orjson.dumps(document),
        media_type=MEDIA_TYPE,
        status=document.status,
        headers=dict(headers or {}),
        facts=replace(facts, reason=document.reason),
    )


def _explain(error: Exception, facts: Facts = NOTHING) -> Answer:
    headers = error.headers if isinstance(error, BodyError) else None
    return answer_problem(describe_error(error), headers=headers, facts=facts)
