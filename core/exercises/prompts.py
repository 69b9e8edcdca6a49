"""The words of an exercise: everything a student needs, as text. Every symbol that it uses is defined in it."""

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.exercises.kinds import Kind
from core.formulas import Apply, Expression, Name, rewrite, to_text
from core.losses import LOSSES
from core.nodes import n_components, output_node, parameters_of, shape_of
from core.problem import Problem
from core.quantities import Quantity, parse_quantity, public_name, title_of

REDUCTIONS_IN_WORDS = {
    "mean": "mean over the samples",
    "sum": "sum over the samples",
    "mean_over_entries": "sum over the samples, divided by N·K,",
}

COLUMNS_IN_WORDS = {
    "columns_first": "go down column 1 of {by}, then down column 2, and so on",
    "rows_first": "go along row 1 of {by}, then along row 2, and so on",
}


def write_prompt(kind: Kind, problem: Problem) -> str:
    """Write what a student reads: the problem, its symbols and conventions, and what to do.

    Returns
    -------
    str
        Plain text of several lines.
    """
    asked = {ask: parse_quantity(ask, problem) for ask in kind.asks}
    has_loss = any(quantity.is_of_loss for quantity in asked.values())
    lines = [_describe_network(problem), "", *_describe_symbols(problem, has_loss=has_loss), ""]
    lines += [
        f"{public_name(node, problem)} = {_write(value)}" for node, value in parameters_of(problem.network).items()
    ]
    lines += [f"X = {_write(problem.inputs)}"]
    if has_loss:
        what = "classes (from 0)" if problem.has_labels else "Y"
        outputs = public_name(output_node(problem.network), problem)
        lines += [f"{what} = {_write(np.asarray(problem.targets))}", "", _describe_loss(problem)]
        lines += [f"In it, a is a sample's row of {outputs} and y is its row of Y."]
        lines += ["There, sum adds up the entries of the row, and ∘ multiplies entry by entry."]
    derivatives = {ask: quantity for ask, quantity in asked.items() if quantity.by}
    lines += ["", kind.task, *(_describe_derivative(ask, each, problem) for ask, each in derivatives.items())]
    if derivatives and any(layer.activation == "relu" for layer in problem.network.layers):
        lines += [f"At z = 0 the slope of relu is taken as {problem.conventions.relu_at_zero:g}."]
    lines += [f"Give {', '.join(kind.asks)} to {kind.decimals} decimals."]
    return "\n".join(lines)


def _write(array: Array) -> str:
    return str(array.tolist())


def _describe_network(problem: Problem) -> str:
    samples = "is one sample" if problem.n_samples == 1 else f"are {problem.n_samples} samples, one in each row of X"
    formulas = [_write_formulas(problem, number) for number in range(1, problem.network.depth + 1)]
    if len(formulas) == 1:
        return f"A layer computes {' and '.join(formulas[0])} of each row. There {samples}."
    return f"A network computes {'; '.join(map(', '.join, formulas))}. There {samples}."


def _write_formulas(problem: Problem, number: int) -> tuple[str, str]:
    """Write what a layer computes: its pre-activations and its activations."""
    layer = problem.network.layers[number - 1]
    below, weights, bias, z, a = (
        public_name(node, problem)
        for node in (f"A{number - 1}" if number > 1 else "X", *(f"{letter}{number}" for letter in "WbZA"))
    )
    return f"{z} = {below}·{weights}{'' if layer.bias is None else f' + {bias}'}", f"{a} = {layer.activation}({z})"


def _describe_loss(problem: Problem) -> str:
    conventions, loss = problem.conventions, LOSSES[str(problem.loss)]
    name = loss.name.replace("_", "-")
    formula = _write_for_one_sample(loss.formula)
    text = f"The loss L is the {REDUCTIONS_IN_WORDS[conventions.reduction]} of the {name} {formula}"
    if loss.logarithmic:
        log = "natural logarithm" if conventions.log_base == "e" else f"logarithm to base {conventions.log_base}"
        text += f", with the {log} for ln"
    if conventions.l2.strength > 0:
        which = "weights and biases" if conventions.l2.biases else "weights (not of biases)"
        factor = {0.5: "½", 1.0: "1"}[conventions.l2.factor]
        text += (
            f", plus an L2 term: factor {factor} times {conventions.l2.strength:g} times the sum of squares of all "
            f"{which}"
        )
        text += ", divided by the number of samples" if conventions.l2.per_sample else ""
    return text + "."


def _write_for_one_sample(formula: Expression) -> str:
    """Write a formula in a sample's rows z, a and y, whose entries a sum adds up."""

    def change(part: Expression) -> Expression:
        if isinstance(part, Name):
            return Name(part.text.lower())
        if isinstance(part, Apply) and part.operation == "sum_outputs":
            return Apply("sum", part.operands)
        return part

    return to_text(rewrite(formula, change))


def _describe_symbols(problem: Problem, *, has_loss: bool) -> list[str]:
    network, depth = problem.network, problem.network.depth
    outputs = "classes" if network.gives_distribution else "outputs"
    numbers = range(1, depth + 1)
    lines = [f"N = {problem.n_samples} is the number of samples, D = {network.widths[0]} the number of inputs."]
    lines += [f"K = {problem.n_out} is the number of {outputs}.", "Shapes stand in brackets: rows, then columns."]
    lines += [_define("X", problem, "one sample in each row")]
    for number, layer in zip(numbers, network.layers, strict=True):
        lines += [_define(f"W{number}", problem, "row i, column j leads from input i to output j")]
        lines += [_define(f"b{number}", problem, "added to every row")] if layer.bias is not None else []
        lines += [_define(f"Z{number}", problem, "one sample in each row")]
        name = f"{layer.activation}(z)"
        formula = _write_for_one_sample(ACTIVATIONS[layer.activation].formula)
        rule = formula if formula == name else f"{name} = {formula}"
        part = "row" if layer.activation == "softmax" else "entry"
        lines += [_define(f"A{number}", problem, f"{rule} for each {part} z of {public_name(f'Z{number}', problem)}")]
    if has_loss:
        kind = "each row has a 1 in the column of the sample's class, and 0 in the others"
        rows = kind if problem.has_labels else "one sample in each row"
        lines += [f"Y {_write_shape((problem.n_samples, problem.n_out))}: the targets; {rows}."]
    return lines


def _define(node: str, problem: Problem, how: str) -> str:
    shape = _write_shape(shape_of(node, problem))
    return f"{public_name(node, problem)} {shape}: the {title_of(Quantity(node), problem)}; {how}."


def _describe_derivative(ask: str, quantity: Quantity, problem: Problem) -> str:
    by, title = public_name(str(quantity.by), problem), title_of(quantity, problem)
    if not quantity.is_jacobian:
        shape = _write_shape(shape_of(str(quantity.by), problem))
        return f"{ask} is the {title}: the derivative of L by each entry of {by}, in the shape of {by}, {shape}."
    of = public_name(quantity.of, problem)
    shape = _write_shape((n_components(quantity.of, problem), n_components(str(quantity.by), problem)))
    each = "" if problem.n_samples == 1 else ", one matrix for each sample"
    words = COLUMNS_IN_WORDS[problem.conventions.column_order].format(by=by)
    order = f"; the columns {words}" if quantity.is_by_weights else ""
    rows = f"a row for each entry of {of}, a column for each entry of {by}{order}"
    return f"{ask} is the {title}, {shape}{each}: {rows}."


def _write_shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
