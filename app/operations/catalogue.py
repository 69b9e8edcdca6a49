"""The catalogue: what the registries hold."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from app.access.refusals import EVERY_KEY
from app.operations.operation import Operation
from app.schemas.compute_replies import (
    ActivationReply,
    CatalogueReply,
    ChoiceReply,
    ConventionReply,
    ExampleReply,
    FormReply,
    LossReply,
    QuantityReply,
)
from app.schemas.grade_replies import KindReply, MistakeReply
from core.activations import ACTIVATIONS
from core.answers import FORMS
from core.conventions import CHOICES_IN_WORDS, L2, Conventions
from core.exercises import KINDS
from core.formulas import Apply, Name, Number, latex_of, to_latex, to_text
from core.losses import LOSSES
from core.mistakes import EXAMPLE_PROBLEM, MISTAKES, SYMBOLS
from core.quantities import is_quantity_template, spell_template, to_quantity
from core.steps import RULES

TAG = {"name": "catalogue", "description": "What can be named in a request."}

EXAMPLE_PROBLEMS = (
    EXAMPLE_PROBLEM,
    *(
        replace(EXAMPLE_PROBLEM, conventions=conventions)
        for conventions in (
            Conventions(l2=L2(strength=0.1, per_sample=True)),
            Conventions(log_base=2),
            Conventions(reduction="sum"),
            Conventions(column_order="rows_first"),
        )
    ),
    replace(
        EXAMPLE_PROBLEM,
        targets=np.zeros((EXAMPLE_PROBLEM.n_samples, EXAMPLE_PROBLEM.n_out)),
        loss="squared_error",
        conventions=Conventions(reduction="mean_over_entries"),
    ),
)
"""Problems that the messages of mistakes are about: the first in which a mistake can be made."""

Shown = TypeVar("Shown", ActivationReply, LossReply, KindReply)


def read_catalogue() -> CatalogueReply:
    """List what has a name here: quantities and functions with formulas, mistakes, exercises, forms of answers."""
    return CatalogueReply(
        activations=_show(ActivationReply, ACTIVATIONS),
        losses=_show(LossReply, LOSSES),
        quantities=tuple(_show_quantities()),
        mistakes=tuple(_show_mistakes()),
        symbols=dict(SYMBOLS),
        exercise_kinds=_show(KindReply, KINDS),
        conventions=tuple(_show_conventions()),
        forms=tuple(_show_forms()),
    )


def _show(shown: type[Shown], registry: Mapping[str, object]) -> tuple[Shown, ...]:
    # an entry's functions stay behind: the reply's class says which of its fields are for readers
    names = [field.name for field in fields(shown)]
    return tuple(shown(**{name: _write(getattr(entry, name)) for name in names}) for entry in registry.values())


def _write(value: Any) -> Any:
    return to_text(value) if isinstance(value, Name | Number | Apply) else value


def _show_forms() -> Iterator[FormReply]:
    for form in FORMS.values():
        examples = (
            ExampleReply(text=text, numbers=np.array(numbers, dtype=np.float64)) for text, numbers in form.examples
        )
        yield FormReply(name=form.name, title=form.title, examples=tuple(examples))


def _show_mistakes() -> Iterator[MistakeReply]:
    quantity = to_quantity(f"dL_dW{EXAMPLE_PROBLEM.network.depth}")
    for mistake in MISTAKES.values():
        # in which the mistake can be made
        problem = next((sample for sample in EXAMPLE_PROBLEMS if mistake.applies(sample)), EXAMPLE_PROBLEM)
        yield MistakeReply(
            name=mistake.name,
            family=mistake.family,
            produces=mistake.produces,
            message=mistake.say(problem, quantity),
        )


def _show_conventions() -> Iterator[ConventionReply]:
    for name, choices in CHOICES_IN_WORDS.items():
        shown = tuple(ChoiceReply(value=value, meaning=meaning) for value, meaning in choices.items())
        yield ConventionReply(name=name, choices=shown)


def _show_quantities() -> Iterator[QuantityReply]:
    for rule in RULES.values():
        if is_quantity_template(rule.output):
            yield QuantityReply(
                id=_number(rule.output),
                spellings=spell_template(rule.output),
                name=rule.quantity,
                formula=rule.text,
                latex=rule.latex,
                shape=rule.shape,
            )
        symbols = {template.rstrip("?"): name for name, template in rule.inputs.items()}
        for by, local in rule.jacobians.items():
            symbol = f"d{rule.symbol}/d{symbols[by]}"
            yield QuantityReply(
                id=_number(f"d{rule.output}_d{by}"),
                spellings=spell_template(f"d{rule.output}_d{by}"),
                name=f"jacobian_{rule.quantity}_by_{local.by}",
                formula=f"{symbol} = {to_text(local.formula)}",
                latex=f"{latex_of(symbol)} = {to_latex(local.formula)}",
                shape=local.shape,
            )
    yield QuantityReply(
        id="d{of}_d{by}",
        spellings=("dS_dW",),
        name="jacobian",
        formula="the product of the local Jacobians on the path: dS/dW = dS/dZ · dZ/dW",
        latex=r"\frac{\partial s}{\partial W} = \frac{\partial s}{\partial z} \frac{\partial z}{\partial W}",
        shape="(n_samples, n_rows, n_columns)",
    )


def _number(template: str) -> str:
    return template.replace("{n}", "{l}")


OPERATIONS = (
    Operation(
        handler=read_catalogue,
        method="GET",
        path="/v1/catalogue",
        tag=TAG["name"],
        admits=EVERY_KEY,
        reply=CatalogueReply,
        problems=(500,),
    ),
)
