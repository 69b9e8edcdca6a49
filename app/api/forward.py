"""Forward passes."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.api.openapi import BODY_PROBLEMS
from app.api.route import JsonRoute, RequestBudget
from app.api.scopes import allow
from app.examples import FORWARD
from app.schemas.compute_bodies import ForwardBody
from app.schemas.compute_replies import ForwardReply
from core.propagation import Forward, compute_forward

router = APIRouter(tags=["compute"], route_class=JsonRoute, dependencies=[allow("compute")])


@router.post("/v1/forward", response_model=ForwardReply, responses=BODY_PROBLEMS)
def create_forward(body: Annotated[ForwardBody, Body(openapi_examples=FORWARD)], budget: RequestBudget) -> Forward:
    """Run a forward pass: every layer's pre-activations and activations, (n_samples, n_out) each.

    With targets also the batch's `loss`, L2 included, and each sample's own in `losses`, (n_samples,).
    """
    return compute_forward(body, budget=budget)
