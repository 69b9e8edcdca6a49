"""Exercises whose numbers hide nothing, and audits of a teacher's own."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import TypeAdapter

from app.access import TOKEN, Grant, forbidden
from app.api.openapi import BODY_PROBLEMS, problems
from app.api.query import DISTINCT
from app.api.route import JsonRoute, RequestBudget, read_budget
from app.api.scopes import EVERY_KEY, RequestCaller, allow
from app.examples import AUDITS, TOKENS
from app.record import record_of
from app.schemas.grade_bodies import AuditBody, ExerciseBody, ExerciseQuery, TokenBody
from app.schemas.grade_replies import AuditReply, ExerciseReply, KindReply, KindsReply, TokenReply
from app.wire import KindName, encode
from app.work.computation import Call, Computation
from core.budget import Budget
from core.exercises import KINDS, LATEST, Audit, Exercise, audit_problem, draw_exercise
from core.marking import ExerciseReference

if TYPE_CHECKING:
    from app.work.dispatch import Placement

router = APIRouter(tags=["marking"], route_class=JsonRoute)
query_router = APIRouter(tags=["marking"])

KIND_SAID = "The kind's name."


def _draw(reference: ExerciseBody, _: Budget) -> Exercise:
    return draw_exercise(reference.kind, reference.seed, reference.version)


DRAWING = Computation("draw_exercise", TypeAdapter(ExerciseBody), _draw, is_estimated=False)
"""Done where marking is, which draws the same exercises: it may take as long, and keeps Python's lock as well."""


@router.get("/v1/exercises", response_model=KindsReply, responses=problems(500), dependencies=[allow(*EVERY_KEY)])
def read_exercises() -> KindsReply:
    """List the kinds of exercises."""
    kinds = (
        KindReply(name=kind.name, title=kind.title, asks=kind.asks, decimals=kind.decimals) for kind in KINDS.values()
    )
    return KindsReply(version=LATEST, kinds=tuple(kinds))


@query_router.get(
    "/v1/exercises/{kind}",
    response_model=ExerciseReply,
    responses=problems(401, 403, 422, 500, 503),
    dependencies=[allow("grade", "author", TOKEN), DISTINCT],
)
async def read_exercise(
    request: Request,
    kind: Annotated[KindName, Path(description=KIND_SAID)],
    query: Annotated[ExerciseQuery, Query()],
    caller: RequestCaller,
) -> Response:
    """Draw an exercise: the same kind, seed and version give the same numbers, always and everywhere.

    Its numbers are certified: no mistake of the catalogue gives the right answer, or passes for another
    one, beyond what mathematics makes equal. A token stands for the seed and version, and needs no key.
    """
    # the query has a seed, or else a token, which has one
    reference = ExerciseReference(kind=kind, seed=cast("int", query.seed), version=query.version)
    if query.token is not None:
        grant = caller.tokens.open(query.token)
        if grant.kind != kind:
            raise forbidden()
        reference = ExerciseReference(kind=kind, seed=grant.seed, version=grant.version)
    call = Call(
        computation=DRAWING.name,
        raw=encode(reference),
        budget=read_budget(request),
        request_id=correlation_id.get() or "",
        caller=caller,
    )
    placement: Placement = request.app.state.placement
    with placement.held_reply_bytes.share() as reply:
        found = await placement.answer(DRAWING, call, request.receive, reply)
    record_of(request.scope).facts = found.facts
    return Response(bytes(found.content), found.status, found.headers, found.media_type)


@router.post(
    "/v1/exercises/{kind}/tokens", response_model=TokenReply, responses=BODY_PROBLEMS, dependencies=[allow("author")]
)
def create_token(
    body: Annotated[TokenBody, Body(openapi_examples=TOKENS)],
    budget: RequestBudget,
    caller: RequestCaller,
    kind: Annotated[KindName, Path(description=KIND_SAID)],
) -> TokenReply:
    """Sign a token for an exercise: who holds it reads that exercise and has it marked, and needs no key.

    The version is written into it, so that it means the same numbers as long as it holds.
    """
    exercise = draw_exercise(kind, body.seed, body.version)
    expires = caller.tokens.expire(body.expires_in)
    grant = Grant(kind=kind, seed=exercise.seed, version=exercise.version, feedback=body.feedback, expires=expires)
    return TokenReply(
        token=caller.tokens.mint(grant),
        kind=kind,
        version=grant.version,
        feedback=grant.feedback,
        expires_at=datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@router.post("/v1/exercises/audit", response_model=AuditReply, responses=BODY_PROBLEMS, dependencies=[allow("author")])
def create_audit(body: Annotated[AuditBody, Body(openapi_examples=AUDITS)], budget: RequestBudget) -> Audit:
    """Find the mistakes that a problem's numbers cannot tell from the right answer, or from each other."""
    return audit_problem(body.problem, body.asks, decimals=body.decimals, budget=budget)
