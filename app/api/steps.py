"""Gradient descent."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.api.openapi import BODY_PROBLEMS
from app.api.route import JsonRoute, RequestBudget
from app.api.scopes import allow
from app.examples import STEPS
from app.schemas.compute_bodies import StepsBody
from app.schemas.compute_replies import StepsReply
from core.descent import Descent, descend

router = APIRouter(tags=["compute"], route_class=JsonRoute, dependencies=[allow("compute")])


@router.post("/v1/steps", response_model=StepsReply, responses=BODY_PROBLEMS)
def create_steps(body: Annotated[StepsBody, Body(openapi_examples=STEPS)], budget: RequestBudget) -> Descent:
    """Take steps of gradient descent, w ← w − η · ∂L/∂w over the whole batch.

    The reply has the loss before the first step and after each, (count + 1,), and the new network in the
    form of a request, ready for the next one.
    """
    return descend(body, body.learning_rate, body.count, budget=budget)
