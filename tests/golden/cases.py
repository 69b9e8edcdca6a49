"""The cases of the golden files: problems, and the Jacobians asked of some."""

from collections.abc import Iterator

import numpy as np

from tests.golden.drawing import Json, draw, saturated, single_layer

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "gelu", "softmax")
LOSSES = ("cross_entropy", "binary_cross_entropy", "squared_error", "half_squared_error")
FITTING = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
TORCH_ONLY = frozenset({"at_zero_leaky_relu"})


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
