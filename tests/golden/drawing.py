"""Problems in the shape of the API: drawn with plain NumPy, or written down."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Json = dict[str, Any]


def draw(
    name: str,
    widths: Sequence[int],
    activations: str,
    loss: str,
    *,
    n_samples: int = 3,
    labels: bool = False,
    unbiased: Sequence[int] = (),
    scale: float = 1.0,
    **conventions: Any,
) -> Json:
    """Draw a problem; numbers have three decimals, so that the files stay small."""
    rng = np.random.default_rng(list(name.encode()))
    layers = []
    for number, activation in enumerate(activations.split(), start=1):
        n_in, n_out = widths[number - 1 : number + 1]
        layer = {"weights": rounded(scale * rng.normal(size=(n_in, n_out)) / math.sqrt(n_in))}
        if number not in unbiased:
            layer["bias"] = rounded(0.5 * rng.normal(size=n_out))
        layers.append(layer | {"activation": activation})
    return {
        "network": {"layers": layers},
        "inputs": rounded(rng.normal(size=(n_samples, widths[0]))),
        "targets": draw_targets(rng, loss, n_samples, widths[-1], labels=labels),
        "loss": loss,
        "conventions": complete(conventions),
    }


def draw_targets(rng: np.random.Generator, loss: str, n_samples: int, n_out: int, *, labels: bool) -> list[Any]:
    """Draw class indices, distributions, probabilities or any numbers."""
    if labels:
        return list(rng.integers(n_out, size=n_samples).tolist())
    if loss == "cross_entropy":
        return rounded(rng.multinomial(1000, rng.dirichlet(np.ones(n_out), size=n_samples)) / 1000)
    shape = (n_samples, n_out)
    return rounded(rng.uniform(size=shape) if loss == "binary_cross_entropy" else rng.normal(size=shape))


def complete(conventions: Json) -> Json:
    """Write all conventions out, defaults included."""
    l2 = {"strength": 0.0, "factor": 0.5, "biases": False} | conventions.get("l2", {})
    return {"reduction": "mean", "log_base": "e"} | conventions | {"l2": l2}


def rounded(numbers: np.ndarray[Any, Any]) -> list[Any]:
    """Return numbers as lists, with three decimals."""
    return list(np.round(numbers, 3).tolist())


def single_layer(activation: str, loss: str, inputs: Any, weights: Any, bias: Any, targets: Any, **more: Any) -> Json:
    """Write a problem of one layer down."""
    return {
        "network": {"layers": [{"weights": weights, "bias": bias, "activation": activation}]},
        "inputs": inputs,
        "targets": targets,
        "loss": loss,
        "conventions": complete(more),
    }


def saturated(activation: str, loss: str, targets: list[Any], **more: Any) -> Json:
    """Write a layer down whose pre-activations reach ±1e4; the last sample's are ordinary."""
    inputs = [[100.0, 0.0], [-100.0, 0.0], [0.0, 100.0], [0.005, -0.01]]
    weights = [[100.0, -100.0, 0.0], [-100.0, 50.0, 99.9]]
    return single_layer(activation, loss, inputs, weights, [0.5, -0.25, 0.75], targets, **more)
