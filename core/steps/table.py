"""The table of steps of one problem: rules with the layers' numbers filled in."""

import re
from dataclasses import dataclass
from functools import lru_cache

from core.losses import LOSSES
from core.problem import Problem, Traits
from core.registry import Registry
from core.steps.backward import BACKWARD_RULES
from core.steps.context import Structure
from core.steps.forward import FORWARD_RULES
from core.steps.loss import LOSS_RULES
from core.steps.rules import Rule

MAX_CACHED_DEPTH = 32
"""Tables up to this depth are kept by the hundred; of deeper ones only the last two, which are large."""

BELOW_FIRST_LAYER = re.compile(r"[AZ]0$")

RULES: Registry[Rule] = Registry("rule", *FORWARD_RULES, *LOSS_RULES, *BACKWARD_RULES)


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a problem's table: a rule at a layer, with the numbered names filled in."""

    output: str
    rule: Rule
    inputs: tuple[str, ...]
    number: int


def structure_of(problem: Problem) -> Structure:
    """Return what decides which steps a problem has.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Structure
    """
    return structure_with(problem.traits)


@lru_cache(maxsize=256)
def structure_with(traits: Traits) -> Structure:
    """Return the structure of a problem of some traits: asked for at every call, so kept."""
    has_loss = traits.loss is not None
    has_logits = has_loss and LOSSES[str(traits.loss)].logits is not None
    return Structure(traits.biases, has_loss=has_loss, has_logits=has_logits)


def steps_of(structure: Structure) -> tuple[Step, ...]:
    """Fill in the table of steps.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    tuple of Step
        In an order in which each step's inputs come first.
    """
    return (_many_tables if structure.depth <= MAX_CACHED_DEPTH else _few_tables)(structure)


def _fill_table(structure: Structure) -> tuple[Step, ...]:
    upward = range(1, structure.depth + 1)
    rows = [(rule, layer) for layer in upward for rule in FORWARD_RULES]
    if structure.has_loss:
        once = [rule for rule in (*LOSS_RULES, *BACKWARD_RULES) if not rule.is_repeated]
        repeated = [rule for rule in BACKWARD_RULES if rule.is_repeated]
        rows += [(rule, structure.depth) for rule in once]
        rows += [(rule, layer) for layer in reversed(upward) for rule in repeated]
    return tuple(_step(rule, layer, structure) for rule, layer in rows if rule.applies(structure, layer))


_many_tables = lru_cache(maxsize=256)(_fill_table)
_few_tables = lru_cache(maxsize=2)(_fill_table)


def _step(rule: Rule, layer: int, structure: Structure) -> Step:
    inputs = tuple(name for template in rule.inputs.values() for name in fill(template, layer, structure))
    return Step(fill(rule.output, layer, structure)[0], rule, inputs, layer)


def fill(template: str, layer: int, structure: Structure) -> list[str]:
    """Fill a template's layer numbers in.

    Parameters
    ----------
    template : str
    layer : int
        The layer at hand.
    structure : Structure

    Returns
    -------
    list of str
        One numbered name; several for ``{*}``, none for what ``?`` marks and the layer lacks.
    """
    layers = range(1, structure.depth + 1) if "{*}" in template else [layer]
    if template.endswith("?"):
        layers = [number for number in layers if structure.biases[number - 1]]
    pattern = template.rstrip("?").replace("{*}", "{l}").replace("{n}", str(structure.depth))
    names = [pattern.replace("{l-1}", str(number - 1)).replace("{l}", str(number)) for number in layers]
    # below the first layer there are the inputs, whatever a rule takes from there
    return [BELOW_FIRST_LAYER.sub("X", name) for name in names]
