"""What a user would write instead: the same replies from a bare ASGI application and from idiomatic FastAPI.

The bare one (`bare`) checks nothing and is the floor for anything that speaks JSON over HTTP in Python; the other
(`idiomatic`) is what FastAPI's tutorial teaches. Both compute the article's example in straight lines of NumPy, which
can do nothing else, or, under another path, by the call of our core, to set the ways to it and back beside each other.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI
from pydantic import BaseModel

from core.arrays import Array
from core.softmax_layer import SoftmaxLayer, SoftmaxLayerResult, compute_softmax_layer

Message = MutableMapping[str, Any]
Quantities = dict[str, dict[str, Any]]

JACOBIANS = {"dS_dZ": ("S", "Z"), "dZ_dW": ("Z", "W"), "dS_dW": ("S", "W")}


def compute_layer(weights: Array, inputs: Array, target: int) -> dict[str, Any]:
    """Compute the ten quantities of a softmax layer, their labels, and the chain."""
    n_in, n_classes = weights.shape
    Z = inputs @ weights
    E = np.exp(Z - Z.max())
    S = E / E.sum()
    y = np.zeros(n_classes)
    y[target] = 1.0
    dL_dS = -y / S
    dS_dZ = np.diag(S) - np.outer(S, S)
    dZ_dW = np.kron(np.eye(n_classes), inputs)
    dL_dZ = S - y
    dL_dW = np.outer(inputs, dL_dZ)
    values = {
        "Z": Z,
        "S": S,
        "dL_dS": dL_dS,
        "dS_dZ": dS_dZ,
        "dZ_dW": dZ_dW,
        "dS_dW": dS_dZ @ dZ_dW,
        "dL_dZ": dL_dZ,
        "dL_dW": dL_dW,
        "dL_db": dL_dZ,
        "dL_dX": weights @ dL_dZ,
    }
    labels = {name: [f"{name}{k}" for k in range(1, n_classes + 1)] for name in "SZ"}
    labels["W"] = [f"W{d}{k}" for k in range(1, n_classes + 1) for d in range(1, n_in + 1)]
    quantities: Quantities = {name: {"value": value, "shape": value.shape} for name, value in values.items()}
    for name, (of, by) in JACOBIANS.items():
        quantities[name] |= {"rows": labels[of], "columns": labels[by]}
    row = dL_dS @ dS_dZ @ dZ_dW
    difference = float(np.abs(row - dL_dW.ravel(order="F")).max())
    chain = {"factors": ["dL_dS", "dS_dZ", "dZ_dW"], "row": row, "max_abs_difference": difference}
    return {"loss": float(np.log(E.sum()) + Z.max() - Z[target]), "quantities": quantities, "chain": chain}


def compute_gradients(weights: Array, inputs: Array, labels: Sequence[int]) -> dict[str, Any]:
    """Compute the gradients of one softmax layer without bias."""
    Z = inputs @ weights
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    S = E / E.sum(axis=1, keepdims=True)
    samples = np.arange(len(inputs))
    dL_dZ = S.copy()
    dL_dZ[samples, labels] -= 1.0
    dL_dZ /= len(inputs)
    return {
        "loss": float(-np.log(S[samples, labels]).mean()),
        "layers": [{"grad_weights": inputs.T @ dL_dZ}],
        "grad_inputs": dL_dZ @ weights.T,
    }


def _answer_layer(body: Mapping[str, Any]) -> dict[str, Any]:
    return compute_layer(np.array(body["weights"]), np.array(body["inputs"]), body["target"])


def compute_layer_by_core(weights: Array, inputs: Array, target: int) -> SoftmaxLayerResult:
    """Compute the same by our core."""
    return compute_softmax_layer(SoftmaxLayer(weights=weights, inputs=inputs[None], target=np.array([target])))


def _answer_layer_by_core(body: Mapping[str, Any]) -> SoftmaxLayerResult:
    return compute_layer_by_core(np.array(body["weights"]), np.array(body["inputs"]), body["target"])


def _answer_gradients(body: Mapping[str, Any]) -> dict[str, Any]:
    weights = np.array(body["network"]["layers"][0]["weights"])
    return compute_gradients(weights, np.array(body["inputs"]), body["targets"])


BARE_ROUTES: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "/v1/softmax-layer": _answer_layer,
    "/v1/softmax-layer-by-core": _answer_layer_by_core,
    "/v1/gradients": _answer_gradients,
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
    reply = compute_layer(np.array(body.weights), np.array(body.inputs), body.target)
    for quantity in reply["quantities"].values():
        quantity["value"] = quantity["value"].tolist()
    reply["chain"]["row"] = reply["chain"]["row"].tolist()
    return reply


@idiomatic.post("/v1/softmax-layer-by-core", response_model=LayerReply, response_model_exclude_none=True)
def create_softmax_layer_by_core(body: LayerRequest) -> dict[str, Any]:
    """Compute one softmax layer by our core."""
    found = compute_layer_by_core(np.array(body.weights), np.array(body.inputs), body.target)
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
    weights, inputs = np.array(body.network.layers[0].weights), np.array(body.inputs)
    reply = compute_gradients(weights, inputs, body.targets or [])
    layers = [{"grad_weights": layer["grad_weights"].tolist()} for layer in reply["layers"]]
    return reply | {"layers": layers, "grad_inputs": reply["grad_inputs"].tolist()}
