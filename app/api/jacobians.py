"""Jacobians by name."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.api.openapi import BODY_PROBLEMS
from app.api.route import JsonRoute, RequestBudget
from app.api.scopes import allow
from app.examples import JACOBIANS
from app.schemas.compute_bodies import JacobiansBody
from app.schemas.compute_replies import JacobiansReply
from core.jacobians import Jacobians, compute_jacobians

router = APIRouter(tags=["compute"], route_class=JsonRoute, dependencies=[allow("compute")])


@router.post("/v1/jacobians", response_model=JacobiansReply, responses=BODY_PROBLEMS)
def create_jacobians(
    body: Annotated[JacobiansBody, Body(openapi_examples=JACOBIANS)], budget: RequestBudget
) -> Jacobians:
    """Compute any derivative d{of}_d{by}, with the factors whose product it is.

    A Jacobian is (n_samples, n_rows, n_columns), weights stacked as column_order says; a derivative of L has the
    shape of what it is taken by: its factors' product summed over samples, plus L2.
    """
    return compute_jacobians(body, body.jacobians, budget=budget)
