"""An exercise that a query asks for, or a token stands for."""

from typing import Annotated, cast

from fastapi import Depends, Path, Query, Request, Response

from app.access import forbidden
from app.api.admission import RequestCaller
from app.api.query import require_distinct_parameters
from app.api.route import Endpoints, read_budget
from app.logs import current_request_id
from app.operations.marking import DRAWING, KIND_DESCRIPTION
from app.record import note_facts
from app.schemas.grade_bodies import ExerciseQuery
from app.wire import encode
from app.wire.fields import KindName
from app.work.computation import Call
from app.work.dispatch import Dispatcher
from app.work.memory import find_holder
from core.grade_requests import ExerciseReference


async def read_exercise(
    request: Request,
    kind: Annotated[KindName, Path(description=KIND_DESCRIPTION)],
    query: Annotated[ExerciseQuery, Query()],
    caller: RequestCaller,
    _: Annotated[None, Depends(require_distinct_parameters)],
) -> Response:
    """Draw the exercise that a query asks for, or that its token stands for."""
    # the query has a seed, or else a token, which has one
    reference = ExerciseReference(kind=kind, seed=cast("int", query.seed), version=query.version)
    if query.token is not None:
        grant = caller.tokens.open(query.token)
        if grant.kind != kind:
            raise forbidden()
        reference = ExerciseReference(kind=kind, seed=grant.seed, version=grant.version)
    call = Call(
        operation=DRAWING.name,
        raw=encode(reference),
        budget=read_budget(request),
        request_id=current_request_id.get(),
        caller=caller,
    )
    dispatcher: Dispatcher = request.app.state.dispatcher
    with dispatcher.memory.open(find_holder(request.scope)) as reservation:
        found = await dispatcher.answer(DRAWING, call, request.receive, reservation)
    note_facts(request.scope, found.facts)
    return Response(bytes(found.content), found.status, found.headers, found.media_type)


ENDPOINTS: Endpoints = {read_exercise: {}}
