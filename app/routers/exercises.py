"""Exercises whose numbers hide nothing, and audits of a teacher's own."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.examples import AUDITS
from app.json_route import JsonRoute, RequestBudget, json_response
from app.openapi import BODY_PROBLEMS, problems
from app.schemas.grade_bodies import AuditBody, ExerciseQuery
from app.schemas.grade_replies import AuditReply, ExerciseReply, KindReply, KindsReply
from app.wire import KindName, encode
from core.exercises import KINDS, LATEST, Audit, audit_problem, draw_exercise

if TYPE_CHECKING:
    from app.placement import Placement

router = APIRouter(tags=["marking"], route_class=JsonRoute)
query_router = APIRouter(tags=["marking"])


@router.get("/v1/exercises", response_model=KindsReply, responses=problems(500))
def read_exercises() -> KindsReply:
    """List the kinds of exercises."""
    kinds = (
        KindReply(name=kind.name, title=kind.title, asks=kind.asks, decimals=kind.decimals) for kind in KINDS.values()
    )
    return KindsReply(version=LATEST, kinds=tuple(kinds))


@query_router.get("/v1/exercises/{kind}", response_model=ExerciseReply, responses=problems(422, 500, 503))
async def read_exercise(
    request: Request,
    kind: Annotated[KindName, Path(description="The kind's name.")],
    query: Annotated[ExerciseQuery, Query()],
) -> Response:
    """Draw an exercise: the same kind, seed and version give the same numbers, always and everywhere.

    Its numbers are certified: no mistake of the catalogue gives the right answer, or passes for another
    one, beyond what mathematics makes equal.
    """
    placement: Placement = request.app.state.placement
    return json_response(await placement.threads.run(request.receive, _write_exercise, kind, query))


@router.post("/v1/exercises/audit", response_model=AuditReply, responses=BODY_PROBLEMS)
def create_audit(body: Annotated[AuditBody, Body(openapi_examples=AUDITS)], budget: RequestBudget) -> Audit:
    """Find the mistakes that a problem's numbers cannot tell from the right answer, or from each other."""
    return audit_problem(body.problem, body.asks, decimals=body.decimals, budget=budget)


def _write_exercise(kind: KindName, query: ExerciseQuery) -> bytes:
    return encode(draw_exercise(kind, query.seed, query.version))
