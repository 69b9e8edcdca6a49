"""Marks with their reasons, exercises whose numbers hide nothing, audits of a teacher's own."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, cast

from pydantic import Field

from app.access.admission import TOKEN, Caller
from app.access.refusals import EVERY_KEY, forbidden
from app.access.rights import AuthorisedGrader
from app.access.tokens import Grant
from app.examples import AUDITS, BULK, EXERCISES, GRADES, TOKENS
from app.operations.operation import BODY_PROBLEMS, Operation
from app.schemas.grade_bodies import AuditBody, ExerciseQuery, GradeBody, TokenBody
from app.schemas.grade_replies import AuditReply, ExerciseReply, GradeReply, KindReply, KindsReply, TokenReply
from app.wire.fields import KindName
from core import exercises
from core.budget import Budget
from core.exercises import KINDS, LATEST_VERSION, Exercise, draw_exercise
from core.grading import Grade

ExerciseKind = Annotated[KindName, Field(description="The kind's name.")]

TAG = {"name": "marking", "description": "Marks with their reasons, exercises that hide nothing, audits of one's own."}


def grade_answers(body: GradeBody, budget: Budget, caller: Caller) -> Grade:
    """Mark answers: which quantity is right, why another is wrong, and what follows from it correctly.

    An answer never makes the request fail: a wrong shape, numbers that are not finite and text that cannot
    be read are verdicts. Who holds a token for an exercise needs no key, and may have it marked up to the token's
    level.
    """
    return AuthorisedGrader(caller, budget=budget).grade(body)


def list_exercises() -> KindsReply:
    """List the kinds of exercises."""
    kinds = (
        KindReply(name=kind.name, title=kind.title, asks=kind.asks, decimals=kind.decimals) for kind in KINDS.values()
    )
    return KindsReply(version=LATEST_VERSION, kinds=tuple(kinds))


def read_exercise(body: ExerciseQuery, caller: Caller) -> Exercise:
    """Draw an exercise: the same kind, seed and version give the same numbers, always and everywhere.

    Its numbers are certified: no mistake of the catalogue gives the right answer, or passes for another
    one, beyond what mathematics makes equal. A token stands for the seed and version, and needs no key.
    """
    if body.token is None:
        # without a token the query has a seed
        return draw_exercise(body.kind, cast("int", body.seed), body.version)
    grant = caller.tokens.open(body.token)
    if grant.kind != body.kind:
        raise forbidden()
    return draw_exercise(grant.kind, grant.seed, grant.version)


def mint_token(body: TokenBody, caller: Caller, kind: ExerciseKind) -> TokenReply:
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


def audit_problem(body: AuditBody, budget: Budget) -> exercises.Audit:
    """Find the mistakes that a problem's numbers cannot tell from the right answer, or from each other."""
    return exercises.audit_problem(body.problem, body.asks, decimals=body.decimals, budget=budget)


NAMED_PROBLEMS = (404,)
"""Of an operation with a parameter in its path: no percent-encoded path is found, whatever it stands for."""

_operation = partial(Operation, tag=TAG["name"])

OPERATIONS = (
    _operation(
        handler=grade_answers,
        path="/v1/grades",
        admits=("grade", TOKEN),
        reply=GradeReply,
        examples=GRADES,
        problems=(*BODY_PROBLEMS, 401, 403),
    ),
    _operation(
        endpoint="grade_lines",
        path="/v1/grades/bulk",
        admits=("grade",),
        examples=BULK,
        problems=(400, 408, 413, 415, 422, 500, 503),
    ),
    _operation(
        handler=list_exercises,
        method="GET",
        path="/v1/exercises",
        admits=EVERY_KEY,
        reply=KindsReply,
        problems=(500,),
    ),
    _operation(
        handler=mint_token,
        path="/v1/exercises/{kind}/tokens",
        admits=("author",),
        reply=TokenReply,
        examples=TOKENS,
        problems=(*BODY_PROBLEMS, *NAMED_PROBLEMS),
    ),
    _operation(
        handler=audit_problem,
        path="/v1/exercises/audit",
        admits=("author",),
        reply=AuditReply,
        examples=AUDITS,
    ),
    # without an estimate it is done where marking is: it may take as long, and holds the GIL as well
    _operation(
        handler=read_exercise,
        method="GET",
        path="/v1/exercises/{kind}",
        admits=("grade", "author", TOKEN),
        reply=ExerciseReply,
        examples=EXERCISES,
        problems=(401, 403, *NAMED_PROBLEMS, 422, 500, 503),
    ),
)
