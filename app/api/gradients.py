"""Gradients by back-propagation."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.api.openapi import BODY_PROBLEMS
from app.api.route import JsonRoute, RequestBudget
from app.api.scopes import allow
from app.examples import GRADIENTS
from app.schemas.compute_bodies import GradientsBody
from app.schemas.compute_replies import GradientsReply
from core.propagation import Gradients, compute_gradients

router = APIRouter(tags=["compute"], route_class=JsonRoute, dependencies=[allow("compute")])


@router.post("/v1/gradients", response_model=GradientsReply, responses=BODY_PROBLEMS)
def create_gradients(
    body: Annotated[GradientsBody, Body(openapi_examples=GRADIENTS)], budget: RequestBudget
) -> Gradients:
    """Compute the loss's gradients by every weight, every bias and the inputs, each in the shape of its own.

    With `check`, entries are compared with complex steps through the forward pass, which share no code with
    the backward pass. One entry takes one forward pass. Where all entries would exceed the limit of operations,
    a sample is compared, always the same one, spread over all arrays. `entries` says how many of how many.
    """
    return compute_gradients(body, check=body.check, budget=budget)
