"""A worked solution as one text in Markdown, with LaTeX between dollar signs."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from core.arrays import Array
from core.formulas import number_to_text, round_number
from core.solutions.derivation import Derivation
from core.solutions.step import SolutionStep


def write_markdown(steps: Sequence[SolutionStep], derivation: Derivation | None, decimals: int) -> str:
    """Write steps, and the derivation behind them, as Markdown.

    Parameters
    ----------
    steps : sequence of SolutionStep
    derivation : Derivation or None
    decimals : int
        Those of the values.

    Returns
    -------
    str
    """
    blocks = [block for number, step in enumerate(steps, start=1) for block in _write_step(number, step, decimals)]
    if derivation is not None:
        blocks.append(f"## How `{derivation.quantity}` comes about")
        for step in derivation.steps:
            blocks += [f"**{step.rule.replace('_', ' ').capitalize()}.** {step.text}", f"$$\n{step.latex}\n$$"]
    return "\n\n".join(blocks) + "\n"


def _write_step(number: int, step: SolutionStep, decimals: int) -> Iterator[str]:
    yield f"## {number}. `{step.quantity}`, {step.title}"
    yield f"$$\n{step.latex}\n$$"
    yield step.why
    yield f"Shapes: {_write_shapes(step.shapes)}; the result has {_write_shape(step.shape)}."
    if step.entry is not None:
        where = f"[{', '.join(map(str, step.entry.index))}]" if step.entry.index else ""
        yield f"For one entry, counted from 0: `{step.quantity}{where} = {step.entry.text}`"
    if step.value is not None:
        yield f"```\n{_write_value(step.value, decimals)}\n```"
    if step.checks:
        yield "\n".join(f"- {'Holds' if check.holds else 'Does not hold'}: {check.statement}." for check in step.checks)


def _write_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"`{name}` {_write_shape(shape)}" for name, shape in shapes.items())


def _write_shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _write_value(value: Array, decimals: int) -> str:
    if value.ndim > 2:
        samples = (f"sample {place}:\n{_write_value(one, decimals)}" for place, one in enumerate(value))
        return "\n".join(samples)
    rows = np.atleast_2d(value)
    return "\n".join("  ".join(number_to_text(round_number(float(entry), decimals)) for entry in row) for row in rows)
