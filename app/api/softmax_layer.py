"""The softmax layer of the source documents, the long way."""

from typing import Annotated

from fastapi import APIRouter, Body

from app.api.openapi import BODY_PROBLEMS
from app.api.route import JsonRoute, RequestBudget
from app.api.scopes import allow
from app.examples import SOFTMAX_LAYER
from app.schemas.compute_bodies import SoftmaxLayerBody
from app.schemas.compute_replies import SoftmaxLayerReply
from core.softmax_layer import SoftmaxLayerResult, compute_softmax_layer

router = APIRouter(tags=["compute"], route_class=JsonRoute, dependencies=[allow("compute")])


@router.post("/v1/softmax-layer", response_model=SoftmaxLayerReply, responses=BODY_PROBLEMS)
def create_softmax_layer(
    body: Annotated[SoftmaxLayerBody, Body(openapi_examples=SOFTMAX_LAYER)], budget: RequestBudget
) -> SoftmaxLayerResult:
    """Compute one softmax layer at one sample: every factor of the chain, their product, and the shortcut.

    With D inputs and K classes: Z, S, dL_dS, dL_dZ, dL_db (K,); dL_dX (D,); dL_dW (D, K), as W; dS_dZ
    (K, K); dZ_dW and dS_dW (K, D·K), columns stacking W by columns. `chain.row` is the product
    dL_dS · dS_dZ · dZ_dW, D·K numbers. −y/S overflows where S underflows, a logit gap of about 709: then
    ask for the other quantities.
    """
    return compute_softmax_layer(body, budget=budget)
