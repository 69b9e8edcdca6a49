"""What a user would write instead: the same replies from a bare ASGI application and from idiomatic FastAPI.

Both make the same call of our core, so that only the ways to it and back differ. The bare one (`bare`) checks nothing:
it is the floor for JSON over HTTP in Python. The other (`idiomatic`) is what FastAPI's tutorial teaches.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI
from pydantic import BaseModel

from core.problem import Layer, Network, Problem
from core.propagation import Gradients, compute_gradients
from core.softmax_layer import SoftmaxLayer, SoftmaxLayerResult, compute_softmax_layer

Message = MutableMapping[str, Any]
Numbers = Sequence[float]
Rows = Sequence[Numbers]


def call_layer(weights: Rows, inputs: Numbers, target: int) -> SoftmaxLayerResult:
    """Compute the quantities of a softmax layer."""
    layer = SoftmaxLayer(weights=np.array(weights), inputs=np.array([inputs]), target=np.array([target]))
    return compute_softmax_layer(layer)


def call_gradients(weights: Rows, inputs: Rows, labels: Sequence[int]) -> Gradients:
    """Compute the gradients of one softmax layer without bias."""
    network = Network(layers=(Layer(weights=np.array(weights), activation="softmax"),))
    targets: Any = np.array(labels)
    problem = Problem(network=network, inputs=np.array(inputs), targets=targets, loss="cross_entropy")
    return compute_gradients(problem)


BARE_ROUTES: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "/v1/softmax-layer": lambda body: call_layer(body["weights"], body["inputs"], body["target"]),
    "/v1/gradients": lambda body: call_gradients(
        body["network"]["layers"][0]["weights"], body["inputs"], body["targets"]
    ),
}


async def bare(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer without a framework and without a check."""
    if scope["type"] != "http":
        return
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message["body"])
        more = message["more_body"]
    reply = BARE_ROUTES[scope["path"]](orjson.loads(b"".join(pieces)))
    content = orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class LayerRequest(BaseModel):
    """A softmax layer at one sample."""

    weights: list[list[float]]
    inputs: list[float]
    target: int


class QuantityReply(BaseModel):
    """One quantity."""

    value: list[float] | list[list[float]]
    shape: list[int]
    rows: list[str] | None = None
    columns: list[str] | None = None


class ChainReply(BaseModel):
    """The chain."""

    factors: list[str]
    row: list[float]
    max_abs_difference: float


class LayerReply(BaseModel):
    """What a softmax layer gives."""

    loss: float
    quantities: dict[str, QuantityReply]
    chain: ChainReply


class DenseLayer(BaseModel):
    """A dense layer."""

    weights: list[list[float]]
    bias: list[float] | None = None
    activation: str


class DenseNetwork(BaseModel):
    """A network."""

    layers: list[DenseLayer]


class ProblemRequest(BaseModel):
    """A network at given inputs."""

    network: DenseNetwork
    inputs: list[list[float]]
    targets: list[int] | None = None
    loss: str | None = None


class DenseGradients(BaseModel):
    """The gradient by one layer's weights."""

    grad_weights: list[list[float]]


class GradientsReply(BaseModel):
    """All gradients."""

    loss: float
    layers: list[DenseGradients]
    grad_inputs: list[list[float]]


idiomatic = FastAPI()


@idiomatic.post("/v1/softmax-layer", response_model=LayerReply, response_model_exclude_none=True)
def create_softmax_layer(body: LayerRequest) -> dict[str, Any]:
    """Compute one softmax layer."""
    found = call_layer(body.weights, body.inputs, body.target)
    quantities = {
        name: {"value": each.value.tolist(), "shape": each.shape, "rows": each.rows, "columns": each.columns}
        for name, each in found.quantities.items()
    }
    assert found.chain is not None
    chain = {"factors": found.chain.factors, "row": found.chain.row.tolist()}
    difference = {"max_abs_difference": found.chain.max_abs_difference}
    return {"loss": found.loss, "quantities": quantities, "chain": chain | difference}


@idiomatic.post("/v1/gradients", response_model=GradientsReply)
def create_gradients(body: ProblemRequest) -> dict[str, Any]:
    """Compute the gradients of one softmax layer."""
    found = call_gradients(body.network.layers[0].weights, body.inputs, body.targets or [])
    layers = [{"grad_weights": layer.grad_weights.tolist()} for layer in found.layers]
    return {"loss": found.loss, "layers": layers, "grad_inputs": found.grad_inputs.tolist()}
