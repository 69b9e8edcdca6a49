"""What the catalogue says that a mistake produces is a formula: each is computed, handed in, and named."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import L2_FACTORS, LOG_BASES, REDUCTIONS
from core.mistakes import MISTAKES, SYMBOLS, Mistake
from core.problem import Problem
from core.scenarios import Scenarios
from tests.support.named_problems import LABELS, PROBLEMS, classes, network
from tests.support.students import hand_in, names_in, set_question

CASES = {**PROBLEMS, "sigmoid hidden": classes(network(2, 5, 3, hidden="sigmoid"), LABELS)}

ANYTHING = ("dL_dW2", "dL_dZ2", "L")
"""What is asked for where a formula is of the right answer alone."""


class Value:
    """A number, an array, or a stack of matrices, with the signs of the catalogue."""

    def __init__(self, array: object) -> None:
        self.array: Array = np.asarray(array, dtype=np.float64)

    T = property(lambda self: Value(np.swapaxes(self.array, -1, -2)))

    def __matmul__(self, other: object) -> "Value":
        one, two = self.array, Value.of(other)
        return Value(one @ two if one.ndim and two.ndim else one * two)

    def __rmatmul__(self, other: float) -> "Value":
        return Value(other * self.array)

    @staticmethod
    def of(value: object) -> Array:
        return value.array if isinstance(value, Value) else np.asarray(value, dtype=np.float64)

    def __neg__(self) -> "Value":
        return Value(-self.array)


def _operate(name: str) -> Callable[[Value, object], Value]:
    return lambda one, other: Value(getattr(one.array, name)(Value.of(other)))


for _name in ("add", "sub", "mul", "truediv", "ge", "pow", "radd", "rsub", "rmul", "rtruediv"):
    setattr(Value, f"__{_name}__", _operate(f"__{_name}__"))


def _of(function: Callable[[Array], Any]) -> Callable[[Value], Value]:
    return lambda value: Value(function(value.array))


def _slope(name: str) -> Callable[[Array], Array]:
    return lambda z: ACTIVATIONS[name].vjp(z, ACTIVATIONS[name].value(z), np.ones(z.shape))


def _rows_first(shape: tuple[int, ...]) -> Callable[[Array], Array]:
    return lambda m: m.reshape(*m.shape[:2], shape[1], shape[0]).swapaxes(-1, -2).reshape(m.shape)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": _of(np.exp),
    "ln": lambda value: Value(np.log(Value.of(value))),
    **{name: _of(ACTIVATIONS[name].value) for name in ("softmax", "sigmoid", "tanh", "relu")},
    **{f"{name}_d": _of(_slope(name)) for name in ("sigmoid", "tanh", "relu")},
    "diag": _of(lambda columns: columns * np.eye(columns.shape[-2])),
    "sum": _of(np.sum),
    "mean": _of(np.mean),
    "sum_samples": _of(lambda m: m.sum(axis=0, keepdims=True)),
    "mean_samples": _of(lambda m: m.mean(axis=0, keepdims=True)),
    "max_samples": _of(lambda m: m.max(axis=0, keepdims=True)),
    "sum_outputs": _of(lambda m: m.sum(axis=1, keepdims=True)),
    "max": lambda m, number: Value(np.maximum(m.array, number)),
    "first": _of(lambda m: m[:1]),
    "last": _of(lambda m: m[-1:]),
    "ones": _of(np.ones_like),
    "outer": lambda x, m: Value(x.array[:, :, None] * m.array[:, None, :]),
    "onehot": _of(lambda m: np.eye(m.shape[1])[m.argmax(axis=1)]),
    "argmax": _of(lambda m: m.argmax(axis=1)),
    "vec": _of(lambda m: m.ravel(order="F")),
}

SPELLINGS = [
    (r"d([LSZA])/d([SZAWXb])", r"d\1_d\2"), (r"e\^(\w+)", r"exp(\1)"), (r"e\^\(", "exp("), ("−", "-"), ("²", "**2"),
    ("·", "@"), ("∘", "*"), ("ᵀ", ".T"), ("′", "_d"), ("₀", "0"), ("₋", "_below"), ("≥", ">="), ("η", "eta"),
]  # fmt: skip


def to_python(text: str) -> str:
    """Spell a formula of the catalogue as Python has it."""
    for pattern, spelling in SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return text


def keys_of(problem: Problem, layer: int) -> dict[str, str]:
    """Give the numbered ids of what the symbols of a layer stand for."""
    depth = problem.network.depth
    below = f"A{layer - 1}" if layer > 1 else "X"
    own = {"X": below, "W": f"W{layer}", "b": f"b{layer}", "Z": f"Z{layer}", "A": f"A{layer}", "S": f"A{depth}"}
    keys = own | {f"dL_d{name}": f"dL_d{key}" for name, key in own.items()} | {"L": "L", "losses": "losses"}
    return keys | {
        "dS_dZ": f"dA{depth}_dZ{depth}", "dS_dW": f"dA{depth}_dW{depth}", "dZ_dW": f"dZ{layer}_dW{layer}",
        "Z_below": f"Z{layer - 1}" if layer > 1 else "X",
    }  # fmt: skip


def symbols_of(problem: Problem, layer: int) -> dict[str, object]:
    """Give what the symbols stand for, but for t."""
    scenarios, keys = Scenarios(problem), keys_of(problem, layer)
    found: dict[str, object] = {name: Value(scenarios.value(key)) for name, key in keys.items()}
    own = problem.network.layers[layer - 1]
    y, s = problem.target_distribution(), scenarios.value(keys["S"])
    conventions, l2 = problem.conventions, problem.conventions.l2
    n = problem.n_samples
    numbers = {
        "n": n, "N": REDUCTIONS[conventions.reduction](n, problem.n_out), "D": own.n_in, "K": problem.n_out,
        "B": LOG_BASES[conventions.log_base], "c": 2 * l2.factor * l2.strength / (n if l2.per_sample else 1),
        "c_d": 2 * (sum(L2_FACTORS) - l2.factor) * l2.strength, "eta": 0.1, "k": 0.3, "m": 7,
    }  # fmt: skip
    found |= {name: Value(number) for name, number in numbers.items()}
    return found | {
        "X0": Value(problem.inputs), "Y": Value(y), "Y_d": Value(np.roll(y, 1, axis=1)), "s": Value(s[:, :, None]),
        "f": _of(ACTIVATIONS[own.activation].value),
        "f_d": _of(_slope(own.activation)), "by_rows": _of(lambda v: v.reshape(own.weights.shape)),
        "rows_first": _of(_rows_first(own.weights.shape)),
        "columns_first": _of(_rows_first(own.weights.shape[::-1])),
    }  # fmt: skip


def tried(formula: str) -> Iterator[tuple[Problem, str, Array, Array]]:
    """Compute a formula in problems and layers: the problem, the quantity, what is produced, and the truth."""
    left, _, right = formula.rpartition(" = ")
    for problem in (CASES[name] for name in CASES if CASES[name].loss and name != "no biases"):
        for layer in range(1, problem.network.depth + 1):
            symbols, keys = symbols_of(problem, layer), keys_of(problem, layer)
            if left:
                asked = [keys[to_python(left)]] if to_python(left) in keys else []
            else:
                asked = [key for key in ANYTHING if problem.network.depth > 1]
            for key in asked:
                truth = Scenarios(problem).value(key)
                try:
                    with np.errstate(all="ignore"):
                        value = eval(to_python(right), {**FUNCTIONS, **symbols, "t": Value(truth)})  # noqa: S307 - ours
                except ValueError:
                    # shapes that do not fit in this layer
                    continue
                array = Value.of(value)
                # sums keep their axis, so that they can be divided by
                yield problem, key, np.squeeze(array, 1) if array.ndim > 1 and array.shape[1] == 1 else array, truth


def is_named(mistake: Mistake, problem: Problem, key: str, answer: Array) -> bool:
    """Tell whether marking names a mistake, alone or among those that give the same numbers."""
    rounded = np.round(answer, 6) if np.isfinite(answer).all() else answer
    part = hand_in(set_question(problem, key, stated=None), {key: rounded}).parts[0]
    return mistake.name in names_in(part)


FORMULAS = [(m, text) for m in MISTAKES.values() for text in m.produces.split(": ")[0].split(" or ")]


@pytest.mark.parametrize(("mistake", "formula"), FORMULAS, ids=[f"{m.name}-{text}" for m, text in FORMULAS])
def test_what_a_mistake_produces_is_named_as_it(mistake: Mistake, formula: str) -> None:
    found = [
        (problem, key, answer)
        for problem, key, answer, truth in tried(formula)
        if mistake.applies(problem) and not (answer.shape == truth.shape and np.allclose(answer, truth, atol=1e-3))
    ]
    assert found
    assert any(is_named(mistake, *each) for each in found)


@pytest.mark.parametrize(("mistake", "formula"), FORMULAS, ids=[f"{m.name}-{text}" for m, text in FORMULAS])
def test_every_symbol_is_defined(mistake: Mistake, formula: str) -> None:
    known = " ".join(SYMBOLS)
    named = {"softmax", "sigmoid", "tanh", "relu", "ln", "e"}
    words = set(re.findall(r"[A-Za-zη_]+[′₀₋]?", re.sub(r"d[LSZA]/d[SZAWXb]", "", formula)))
    assert {word for word in words if word.removesuffix("′") not in named and word not in re.findall(
        r"[A-Za-zη_]+[′₀₋]?", known)} == set()  # fmt: skip
