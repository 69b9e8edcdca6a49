"""Problems with numbers of two decimals, by name: every convention and form that a mistake may show in."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from core.conventions import L2, Conventions
from core.problem import Layer, Network, Problem


def network(
    *widths: int, hidden: str = "tanh", last: str = "softmax", biased: bool = True, scale: float = 1.0
) -> Network:
    """Build a network with numbers of two decimals."""
    rng = np.random.default_rng(7)
    layers: list[Layer] = []
    for n_in, n_out in pairwise(widths):
        weights = np.round(scale * rng.uniform(-1.0, 1.0, (n_in, n_out)), 2)
        bias = np.round(rng.uniform(0.1, 0.9, n_out), 2) if biased else None
        layers.append(Layer(weights=weights, bias=bias, activation=last if len(layers) == len(widths) - 2 else hidden))
    return Network(layers=tuple(layers))


def classes(made: Network, labels: list[int], **conventions: object) -> Problem:
    """Ask for classes of samples with numbers of two decimals."""
    inputs = np.round(np.random.default_rng(8).uniform(-2.0, 2.0, (len(labels), made.widths[0])), 2)
    return Problem(
        network=made,
        inputs=inputs,
        targets=np.array(labels),
        loss="cross_entropy",
        conventions=Conventions(**conventions),  # type: ignore[arg-type]  # a row of the table below
    )


def with_zero(problem: Problem) -> Problem:
    """Put a pre-activation of exactly 0 into the first layer."""
    first, *others = problem.network.layers
    inputs, bias = problem.inputs.copy(), np.linspace(0.0, 0.5, first.n_out)
    inputs[0] = 0.0
    network = Network(layers=(replace(first, bias=bias), *others))
    return replace(problem, network=network, inputs=inputs)


LABELS = [0, 2, 2, 1]

PLAIN = classes(network(2, 5, 3), LABELS)

YES_OR_NO = replace(
    PLAIN, network=network(2, 5, 3, last="sigmoid"), targets=np.eye(3)[LABELS], loss="binary_cross_entropy"
)

PROBLEMS = {
    "plain": PLAIN,
    "relu at zero": with_zero(classes(network(2, 5, 3, hidden="relu"), LABELS)),
    "sigmoid": YES_OR_NO,
    "sum": classes(network(2, 5, 3), LABELS, reduction="sum"),
    "base 2": classes(network(2, 5, 3), LABELS, log_base=2),
    "base 10": classes(network(2, 5, 3), LABELS, log_base=10),
    "L2": classes(network(2, 5, 3), LABELS, l2=L2(strength=0.3)),
    "L2 with biases": classes(network(2, 5, 3), LABELS, l2=L2(strength=0.3, biases=True)),
    "square": classes(network(2, 3, 3, 3), LABELS),
    "large logits": classes(network(2, 5, 3, scale=3000.0), LABELS),
    "one sample": classes(network(2, 5, 3), [1]),
    "one output": replace(
        PLAIN, network=network(2, 1, last="sigmoid"), targets=np.array([[1.0], [0.0], [0.0], [1.0]]),
        loss="binary_cross_entropy",
    ),
    "no biases": classes(network(2, 5, 3, biased=False), LABELS),
    "distributions": replace(PLAIN, targets=np.array([[0.2, 0.3, 0.5]] * 4)),
    "squared error": replace(PLAIN, targets=np.eye(3)[LABELS], loss="squared_error"),
    "mean over entries": replace(
        PLAIN, targets=np.eye(3)[LABELS], loss="squared_error", conventions=Conventions(reduction="mean_over_entries")
    ),
    "L2 per sample": classes(network(2, 5, 3), LABELS, l2=L2(strength=0.3, factor=1.0, per_sample=True)),
    "rows first": classes(network(2, 5, 3), LABELS, column_order="rows_first"),
    "relu with slope 1 at zero": with_zero(classes(network(2, 5, 3, hidden="relu"), LABELS, relu_at_zero=1)),
    "hidden softmax": classes(network(2, 5, 3, hidden="softmax"), LABELS),
    "no loss": replace(PLAIN, targets=None, loss=None),
}  # fmt: skip
