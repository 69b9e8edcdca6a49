"""Make torch.json and jax.json: what PyTorch and JAX compute for the problems below, in float64.

    python3.11 -m venv /tmp/golden
    /tmp/golden/bin/pip install torch==2.13.0 jax==0.10.2 numpy==2.4.6
    /tmp/golden/bin/python tests/golden/make_golden.py

It stands alone: nothing of Gradmark is imported, every derivative is the framework's autograd. Problems are
drawn with plain NumPy, each seeded by its own name or index, so a new case changes no other; they stand in the
files in the shape of the API, beside what was computed for them, at full precision. A second run on the same
machine writes the same bytes; other versions and processors may differ in last digits.

A file holds ``versions``, the ``activations`` and ``losses`` it covers, and ``cases`` by name:

- ``problem``: the body of a request to /v1/gradients;
- ``loss``, ``losses`` (per sample, in the convention's base, without L2), ``outputs``;
- ``gradients``: dL_d* by every parameter and by the inputs;
- ``jacobians``, in some cases: one matrix per sample, weights stacked by columns.

Choices, where a framework has its own mind:

- PyTorch's softplus drops exp(-z) above z = 20, an error of up to 2e-9; its threshold is set to 40 here.
- JAX takes 1 for leaky_relu's derivative at 0, PyTorch the slope; Gradmark follows PyTorch. That case is in
  torch.json only. relu's derivative at 0 is 0 in both.
- For a right prediction whose logits lie 10 to 700 apart, both lose digits of cross_entropy and its gradient
  by the right logit, PyTorch of binary_cross_entropy's gradient too: 1e-12 of it at 10, 1e-3 at 30, all from
  37 on. Gradmark keeps them, so no case lies wholly there; at ±1e4 the true numbers round to 0.
"""

import json
import math
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

# only the environment of the golden files has these two
import jax  # type: ignore[import-not-found]
import numpy as np
import torch  # type: ignore[import-not-found]

Json = dict[str, Any]
Nodes = dict[str, Any]
"""A framework's arrays by their numbered names: X, W1, b1, Z1, A1 and so on."""

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "gelu", "softmax")
LOSSES = ("cross_entropy", "binary_cross_entropy", "squared_error", "half_squared_error")
FITTING = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
TORCH_ONLY = frozenset({"at_zero_leaky_relu"})


# ---------------------------------------------------------------------------------------------- problems


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


def activation_cases() -> Iterator[tuple[str, Json]]:
    """Every activation as a hidden layer, as the output of both squared errors, at 0 and far from it."""
    for name in ACTIVATIONS:
        yield f"hidden_{name}", draw(f"hidden_{name}", (3, 4, 3), f"{name} softmax", "cross_entropy", labels=True)
        for loss in LOSSES[2:]:
            case = f"output_{name}_{loss}"
            yield case, draw(case, (2, 3, 3), f"tanh {name}", loss, unbiased=[2])
        at_zero = ([[0.0, 0.0], [1.0, -1.0]], [[0.5, -0.25], [0.5, 0.75]], [0.0, 0.0], [[1.0, -2.0], [-0.5, 0.25]])
        yield f"at_zero_{name}", single_layer(name, "squared_error", *at_zero)
        far = saturated(name, "half_squared_error", [[0.5, -0.5, 1.0], [0.0, 1.0, 2.0], [1.0, 0.5, 0.25], [0.0] * 3])
        yield f"saturated_{name}", far


def loss_cases() -> Iterator[tuple[str, Json]]:
    """Every loss, kind of target, reduction and logarithm's base."""
    for reduction in ("mean", "sum"):
        for base in ("e", 2, 10):
            more: Json = {"reduction": reduction, "log_base": base}
            tail = f"{reduction}_log_{base}"
            for labels in (True, False):
                case = f"cross_entropy_{'labels' if labels else 'distributions'}_{tail}"
                yield case, draw(case, (3, 3), "softmax", "cross_entropy", labels=labels, **more)
            case = f"binary_cross_entropy_{tail}"
            yield case, draw(case, (2, 3, 2), "tanh sigmoid", "binary_cross_entropy", **more)
        for loss in LOSSES[2:]:
            case = f"{loss}_{reduction}"
            yield case, draw(case, (3, 2), "identity", loss, reduction=reduction)
            case = f"{loss}_labels_{reduction}"
            yield case, draw(case, (3, 3), "softmax", loss, labels=True, reduction=reduction)


def penalty_cases() -> Iterator[tuple[str, Json]]:
    """Both L2 factors, with and without biases, in networks that lack one."""
    losses = ("cross_entropy", "binary_cross_entropy", "squared_error", "half_squared_error")
    for index, (reduction, biases) in enumerate([("mean", False), ("mean", True), ("sum", False), ("sum", True)]):
        loss = losses[index]
        for factor in (0.5, 1.0):
            case = f"l2_factor_{factor:g}_{'with' if biases else 'without'}_biases_{reduction}"
            l2 = {"strength": 0.3, "factor": factor, "biases": biases}
            base: str | int = 2 if index == 1 else "e"
            activations = f"tanh relu {FITTING.get(loss, 'identity')}"
            more: Json = {"reduction": reduction, "log_base": base, "l2": l2}
            yield case, draw(case, (2, 3, 2, 2), activations, loss, unbiased=[2], **more)
    case = "l2_without_any_bias"
    l2 = {"strength": 0.05, "factor": 1.0, "biases": True}
    yield case, draw(case, (2, 3, 2), "gelu softmax", "cross_entropy", unbiased=[1, 2], log_base=10, l2=l2)


def size_cases() -> Iterator[tuple[str, Json]]:
    """Depths 1 to 6 and 20, batches of 1 to 8, layers of one unit."""
    hidden = ("tanh", "gelu", "softplus", "leaky_relu", "sigmoid")
    for depth in range(1, 7):
        case = f"depth_{depth}"
        activations = " ".join((*hidden[: depth - 1], "softmax"))
        widths = (3, 4, 3, 2, 4, 3, 3)[: depth + 1]
        yield case, draw(case, widths, activations, "cross_entropy", n_samples=2, unbiased=[2, 5])
    case = "depth_20"
    yield case, draw(case, [3] * 21, "tanh " * 19 + "softmax", "cross_entropy", labels=True, n_samples=2, scale=1.3)
    for n_samples in range(1, 9):
        case = f"batch_{n_samples}"
        yield case, draw(case, (2, 3, 2), "sigmoid identity", "half_squared_error", n_samples=n_samples)
    case = "layers_of_one_unit"
    yield case, draw(case, (1, 1, 1), "tanh sigmoid", "binary_cross_entropy", n_samples=1)
    case = "softmax_of_one_class"
    yield case, draw(case, (2, 1), "softmax", "cross_entropy", labels=True)


def saturated(activation: str, loss: str, targets: list[Any], **more: Any) -> Json:
    """Write a layer down whose pre-activations reach ±1e4; the last sample's are ordinary."""
    inputs = [[100.0, 0.0], [-100.0, 0.0], [0.0, 100.0], [0.005, -0.01]]
    weights = [[100.0, -100.0, 0.0], [-100.0, 50.0, 99.9]]
    return single_layer(activation, loss, inputs, weights, [0.5, -0.25, 0.75], targets, **more)


def saturated_cases() -> Iterator[tuple[str, Json]]:
    """Both cross-entropies at logits of ±1e4: right and wrong, exact 0 and 1 and in between."""
    right, wrong = [0, 1, 2, 0], [1, 0, 0, 1]
    identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    mixed = [[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.75, 0.0, 0.25], [0.25, 0.25, 0.5]]
    yes_no = [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    no_yes = [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    for name, targets in (
        ("labels_right", right),
        ("labels_wrong", wrong),
        ("distributions_right", [identity[label] for label in right]),
        ("distributions_wrong", [identity[label] for label in wrong]),
        ("distributions_mixed", mixed),
    ):
        yield f"saturated_cross_entropy_{name}", saturated("softmax", "cross_entropy", targets)
    for name, targets in (("right", yes_no), ("wrong", no_yes), ("mixed", mixed)):
        yield f"saturated_binary_cross_entropy_{name}", saturated("sigmoid", "binary_cross_entropy", targets)
    more = {"reduction": "sum", "log_base": 2, "l2": {"strength": 0.01, "factor": 1.0, "biases": True}}
    yield "saturated_cross_entropy_conventions", saturated("softmax", "cross_entropy", wrong, **more)
    yield "saturated_binary_cross_entropy_conventions", saturated("sigmoid", "binary_cross_entropy", no_yes, **more)

    sure = {"inputs": [[100.0], [-100.0]], "weights": [[100.0, -100.0]], "bias": [0.0, 0.0]}
    yield "sure_and_right_labels", single_layer("softmax", "cross_entropy", **sure, targets=[0, 1])
    rows = [[1.0, 0.0], [0.0, 1.0]]
    yield "sure_and_right_yes_and_no", single_layer("sigmoid", "binary_cross_entropy", **sure, targets=rows)

    for loss, output in FITTING.items():
        case = f"saturated_{loss}_behind_hidden_layers"
        problem = draw(case, (2, 3, 3, 3), f"leaky_relu relu {output}", loss, n_samples=4)
        problem["inputs"] = [[1e4, -1e4], [-2e4, 1e4], [1.0, -0.5], [0.25, 0.75]]
        problem["targets"] = [identity[label] for label in right]
        yield case, problem


def mixture_cases() -> Iterator[tuple[str, Json]]:
    """Networks and conventions drawn at random, so that what nobody thought of meets too."""
    for index in range(12):
        case = f"mixture_{index}"
        rng = np.random.default_rng([2026, index])
        depth = int(rng.integers(2, 6))
        loss = LOSSES[index % 4]
        hidden = [str(name) for name in rng.choice(ACTIVATIONS, size=depth - 1)]
        output = FITTING.get(loss, str(rng.choice(ACTIVATIONS)))
        l2 = {"strength": 0.1 * index, "factor": float(rng.choice([0.5, 1.0])), "biases": bool(rng.integers(2))}
        bases = ("e", 2, 10) if loss in FITTING else ("e",)
        yield (
            case,
            draw(
                case,
                [int(width) for width in rng.integers(2, 5, size=depth + 1)],
                " ".join([*hidden, output]),
                loss,
                n_samples=int(rng.integers(1, 5)),
                labels=output == "softmax" and bool(rng.integers(2)),
                unbiased=[number for number in range(1, depth + 1) if rng.integers(3) == 0],
                reduction=("mean", "sum")[int(rng.integers(2))],
                log_base=bases[int(rng.integers(len(bases)))],
                l2=l2,
            ),
        )


def jacobian_cases() -> Iterator[tuple[str, Json, list[str]]]:
    """Jacobians of every activation and along paths of one to three layers."""
    for name in ACTIVATIONS:
        case = f"jacobian_{name}"
        problem = draw(case, (2, 3), name, "squared_error", n_samples=2)
        yield case, problem, ["dA1_dZ1", "dA1_dW1", "dA1_db1", "dA1_dX"]
    for kind in ("label", "distribution"):
        case = f"softmax_layer_{kind}"
        problem = draw(case, (3, 4), "softmax", "cross_entropy", n_samples=1, labels=kind == "label")
        yield case, problem, ["dS_dZ", "dZ_dW", "dS_dW"]
    for case, widths, activations, unbiased, ids in (
        (
            "jacobian_two_layers",
            (3, 2, 3),
            "tanh softmax",
            [],
            "dS_dW1 dS_dZ dA1_dX dS_db1 dZ2_dW1 dS_dA1 dS_dW2 dS_dX",
        ),
        ("jacobian_three_layers", (2, 3, 2, 2), "gelu softmax tanh", [2], "dA3_dW1 dA3_dW2 dZ3_dZ1 dA2_dW1 dA3_dX"),
        ("jacobian_bottleneck", (3, 1, 3), "softplus softmax", [1], "dS_dW1 dS_dZ1 dS_dX dZ2_dA1"),
    ):
        problem = draw(case, widths, activations, "squared_error", n_samples=2, unbiased=unbiased)
        yield case, problem, ids.split()


def all_cases() -> Iterator[tuple[str, Json, list[str]]]:
    """List every case: its name, problem and Jacobians."""
    for make in (activation_cases, loss_cases, penalty_cases, size_cases, saturated_cases, mixture_cases):
        for name, problem in make():
            yield name, problem, []
    yield from jacobian_cases()


# -------------------------------------------------------------------------------------------- frameworks


class Framework(Protocol):
    """What is asked of PyTorch and of JAX."""

    name: str
    version: str
    activations: dict[str, Callable[[Any], Any]]

    def array(self, numbers: Any) -> Any:
        """Return float64, or integers for class indices."""

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        """Return one loss per sample in nats, by the framework's own stable functions."""

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        """Return the objective, what it gives beside, and its gradients."""

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        """Return the derivative by reverse mode, output axes first."""


class Torch:
    """PyTorch on one thread."""

    name = "torch"
    version = str(torch.__version__)

    def __init__(self) -> None:
        torch.set_num_threads(1)
        functional = torch.nn.functional
        self.activations: dict[str, Callable[[Any], Any]] = {
            "identity": lambda z: z,
            "sigmoid": torch.sigmoid,
            "tanh": torch.tanh,
            "relu": functional.relu,
            "leaky_relu": lambda z: functional.leaky_relu(z, negative_slope=0.01),
            "softplus": lambda z: functional.softplus(z, threshold=40),
            "gelu": lambda z: functional.gelu(z, approximate="none"),
            "softmax": lambda z: functional.softmax(z, dim=-1),
        }

    def array(self, numbers: Any) -> Any:
        integers = np.asarray(numbers).dtype.kind == "i"
        return torch.tensor(numbers, dtype=torch.int64 if integers else torch.float64)

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        functional = torch.nn.functional
        if name == "cross_entropy":
            return functional.cross_entropy(z, y, reduction="none")
        if name == "binary_cross_entropy":
            return functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=-1)
        rows = functional.one_hot(y, num_classes=a.shape[-1]).to(a.dtype) if labels else y
        squares = functional.mse_loss(a, rows, reduction="none").sum(dim=-1)
        return squares if name == "squared_error" else squares / 2

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        leaves = {name: value.clone().requires_grad_() for name, value in at.items()}
        loss, beside = objective(leaves)
        loss.backward()
        detached = {name: value.detach() for name, value in beside.items()}
        return loss.detach(), detached, {name: leaf.grad for name, leaf in leaves.items()}

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        return torch.func.jacrev(function)(at)


class Jax:
    """JAX on the CPU."""

    name = "jax"
    version = str(jax.__version__)

    def __init__(self) -> None:
        jax.config.update("jax_enable_x64", True)  # noqa: FBT003 (jax names no argument here)
        jax.config.update("jax_platforms", "cpu")
        self.activations: dict[str, Callable[[Any], Any]] = {
            "identity": lambda z: z,
            "sigmoid": jax.nn.sigmoid,
            "tanh": jax.numpy.tanh,
            "relu": jax.nn.relu,
            "leaky_relu": lambda z: jax.nn.leaky_relu(z, negative_slope=0.01),
            "softplus": jax.nn.softplus,
            "gelu": lambda z: jax.nn.gelu(z, approximate=False),
            "softmax": lambda z: jax.nn.softmax(z, axis=-1),
        }

    def array(self, numbers: Any) -> Any:
        return jax.numpy.asarray(np.asarray(numbers))

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        rows = jax.nn.one_hot(y, a.shape[-1], dtype=a.dtype) if labels else y
        if name == "cross_entropy":
            return -(rows * jax.nn.log_softmax(z, axis=-1)).sum(axis=-1)
        if name == "binary_cross_entropy":
            return -(rows * jax.nn.log_sigmoid(z) + (1 - rows) * jax.nn.log_sigmoid(-z)).sum(axis=-1)
        squares = ((a - rows) ** 2).sum(axis=-1)
        return squares if name == "squared_error" else squares / 2

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        (loss, beside), gradients = jax.value_and_grad(objective, has_aux=True)(at)
        return loss, beside, gradients

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        return jax.jacrev(function)(at)


# ------------------------------------------------------------------------------------------- computation


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


# ------------------------------------------------------------------------------------------------- files


def text_of(framework: Framework) -> str:
    """Write a golden file: one case a line, so that a changed case is one changed line."""
    head = {
        "made_by": "tests/golden/make_golden.py",
        "versions": {framework.name: framework.version, "numpy": np.__version__, "python": platform.python_version()},
        "activations": ACTIVATIONS,
        "losses": LOSSES,
    }
    cases = {
        name: compute(framework, problem, jacobians)
        for name, problem, jacobians in all_cases()
        if framework.name == "torch" or name not in TORCH_ONLY
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(key)}: {json.dumps(case, separators=(',', ':'))}" for key, case in cases.items()]
    return "{\n" + ",\n".join([*lines, '"cases": {\n' + ",\n".join(rows) + "\n}"]) + "\n}\n"


def main() -> None:
    """Write both files beside this one."""
    for framework in (Torch(), Jax()):
        text = text_of(framework)
        path = Path(__file__).with_name(f"{framework.name}.json")
        path.write_text(text, encoding="utf-8")
        n_cases = len(json.loads(text)["cases"])
        print(f"{path.name}: {n_cases} cases, {len(text)} bytes, {framework.name} {framework.version}")  # noqa: T201


if __name__ == "__main__":
    main()
