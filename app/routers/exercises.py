"""Exercises whose numbers hide nothing, and audits of a teacher's own."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.access import EVERY_KEY, TOKEN, Grant, RequestCaller, allow, forbidden
from app.examples import AUDITS, TOKENS
from app.json_route import JsonRoute, RequestBudget, json_response
from app.openapi import BODY_PROBLEMS, problems
from app.query import DISTINCT
from app.schemas.grade_bodies import AuditBody, ExerciseQuery, TokenBody
from app.schemas.grade_replies import AuditReply, ExerciseReply, KindReply, KindsReply, TokenReply
from app.wire import KindName, encode
from core.exercises import KINDS, LATEST, Audit, audit_problem, draw_exercise

if TYPE_CHECKING:
    from app.placement import Placement

router = APIRouter(tags=["marking"], route_class=JsonRoute)
query_router = APIRouter(tags=["marking"])

KIND_SAID = "The kind's name."


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
    seed, version = query.seed, query.version
    if query.token is not None:
        grant = caller.tokens.open(query.token)
        if grant.kind != kind:
            raise forbidden()
        seed, version = grant.seed, grant.version
    placement: Placement = request.app.state.placement
    return json_response(await placement.threads.run(request.receive, _write_exercise, kind, seed, version))


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


def _write_exercise(kind: str, seed: int | None, version: int | None) -> bytes:
    # the query has a seed, or else a token, which has one
    return encode(draw_exercise(kind, cast("int", seed), version))
