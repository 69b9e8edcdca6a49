"""What a framework computes for a problem: the same steps for both."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.golden.drawing import Json
from tests.golden.framework import Framework, Nodes


def forward(framework: Framework, problem: Json, given: Nodes) -> Nodes:
    """Compute all nodes from X and the parameters; a Z or A that is given is taken as it is."""
    nodes = dict(given)
    for number, layer in enumerate(problem["network"]["layers"], start=1):
        z, a = f"Z{number}", f"A{number}"
        if z not in nodes:
            below = nodes["X" if number == 1 else f"A{number - 1}"]
            nodes[z] = below @ nodes[f"W{number}"]
            if f"b{number}" in nodes:
                nodes[z] = nodes[z] + nodes[f"b{number}"]
        if a not in nodes:
            nodes[a] = framework.activations[layer["activation"]](nodes[z])
    return nodes


def compute(framework: Framework, problem: Json, jacobians: Sequence[str]) -> Json:
    """Compute what a case of the golden file holds."""
    layers, conventions = problem["network"]["layers"], problem["conventions"]
    targets = framework.array(problem["targets"])
    labels = not isinstance(problem["targets"][0], list)
    sources = {"X": framework.array(problem["inputs"])}
    for number, layer in enumerate(layers, start=1):
        sources[f"W{number}"] = framework.array(layer["weights"])
        if "bias" in layer:
            sources[f"b{number}"] = framework.array(layer["bias"])

    def objective(at: Nodes) -> tuple[Any, Nodes]:
        nodes = forward(framework, problem, at)
        z, outputs = nodes[f"Z{len(layers)}"], nodes[f"A{len(layers)}"]
        losses = framework.losses(problem["loss"], z, outputs, targets, labels=labels)
        if conventions["log_base"] != "e":
            losses = losses / math.log(conventions["log_base"])
        loss = losses.mean() if conventions["reduction"] == "mean" else losses.sum()
        l2 = conventions["l2"]
        penalised = [at[name] for name in at if name[0] in ("Wb" if l2["biases"] else "W")]
        penalty = l2["factor"] * l2["strength"] * sum((array**2).sum() for array in penalised)
        return loss + penalty, {"losses": losses, "outputs": outputs}

    loss, beside, gradients = framework.differentiate(objective, sources)
    found = {
        "problem": problem,
        "loss": float(loss),
        "losses": plain(beside["losses"]),
        "outputs": plain(beside["outputs"]),
        "gradients": {f"dL_d{name}": plain(gradient) for name, gradient in gradients.items()},
    }
    if jacobians:
        found["jacobians"] = {name: compute_jacobian(framework, problem, sources, name) for name in jacobians}
    return found


def compute_jacobian(framework: Framework, problem: Json, sources: Nodes, name: str) -> list[Any]:
    """Compute d{of}_d{by} sample by sample, weights stacked by columns."""
    depth = len(problem["network"]["layers"])
    of, by = (numbered(node, depth) for node in name.removeprefix("d").split("_d"))
    matrices = []
    for sample in range(len(problem["inputs"])):
        given = sources | {"X": sources["X"][sample]}

        def node_from(value: Any, given: Nodes = given) -> Any:
            return forward(framework, problem, given | {by: value})[of]

        matrix = np.asarray(framework.jacobian(node_from, forward(framework, problem, given)[by]))
        if by.startswith("W"):
            # (n_rows, n_in, n_out): with the output before the input, reshaping stacks W by columns
            matrix = matrix.swapaxes(1, 2).reshape(len(matrix), -1)
        matrices.append(matrix.tolist())
    return matrices


def numbered(node: str, depth: int) -> str:
    """Write a node with its layer's number: S is the last A, no number means the last layer."""
    symbol = node[0].replace("S", "A")
    return symbol if symbol == "X" else f"{symbol}{node[1:] or depth}"


def plain(array: Any) -> list[Any]:
    """Return a framework's array as lists of numbers."""
    return list(np.asarray(array).tolist())
