"""Changes of rules: how a mistake, or another convention, computes a step otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_fields

from core.arrays import Array
from core.conventions import Switch
from core.formulas import Edit
from core.steps.context import RuleContext
from core.steps.rules import Rule
from core.steps.table import RULES

Where = Callable[[RuleContext], bool]


def everywhere(context: RuleContext) -> bool:
    """Tell that a change makes a difference, or another shape, in every layer and network."""
    return True


def nowhere(context: RuleContext) -> bool:
    """Tell that it does so in none."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """Another way to compute what one rule, or one local Jacobian, computes.

    Parameters
    ----------
    rule : str
        The rule's name; for a local Jacobian its id with templates: ``"dA{l}_dZ{l}"``.
    apply : callable
        ``apply(exact, context, *inputs)``, where ``exact(*inputs)`` is the rule itself, or the rule as other
        changes have made it. A local Jacobian's first input is the rows that it is multiplied by. As a rule
        does, it counts axes from the last, so that it may run on what it takes under many choices at once.
    replaces : bool
        Whether `exact` is not called, so that of two such changes of one step only one can be made.
    scales : float or None
        For what puts a factor on the result and does nothing else: that factor. It comes last.
    where : callable
        ``where(context)``: the layers and networks in which it makes a difference.
    reshapes : callable
        ``reshapes(context)``: those in which the result has another shape than the exact one. There it runs alone,
        and no step can take what it gives.
    extra : tuple of str
        Templates of what it takes beside the rule's inputs; they come last.
    switch : Switch or None
        The convention under which it is right.
    edited : Rule or None
        The rule with another formula, where the change is an edit of the formula.
    """

    rule: str
    apply: Callable[..., Array]
    replaces: bool
    scales: float | None = None
    where: Where = everywhere
    reshapes: Where = nowhere
    extra: tuple[str, ...] = ()
    switch: Switch | None = None
    edited: Rule | None = None


def edit_rule(
    rule: str,
    edit: Edit,
    *,
    where: Where = everywhere,
    reshapes: Where = nowhere,
    extra: Mapping[str, str] | None = None,
    exact: Callable[..., Array] | None = None,
) -> Change:
    """Return the change that computes a step by an edited formula.

    Parameters
    ----------
    rule, where, reshapes
        See `Change`.
    edit : callable
        What is done to the rule's formula.
    extra : mapping of str to str, optional
        Templates of what the edited formula takes beside the rule's inputs, by the symbols that stand for them.
    exact : callable, optional
        ``exact(context, *inputs)``: the same in a form that does not overflow where the formula does.

    Returns
    -------
    Change

    Raises
    ------
    ValueError
        If `extra` comes after inputs that a layer may lack: they are told apart by their places.
    """
    original, extra = RULES[rule], extra or {}
    if extra and any("?" in template or "{*}" in template for template in original.inputs.values()):
        raise ValueError(f"{rule} has not the same number of inputs everywhere: an edit of it can take no others")
    edited = replace_fields(
        original,
        formula=original.formula and edit(original.formula),
        inputs={**original.inputs, **extra},
        exact=exact,
        is_edited=True,
    )
    return Change(
        rule=rule,
        apply=lambda exact, context, *inputs: edited.apply(context, *inputs),
        replaces=True,
        where=where,
        reshapes=reshapes,
        extra=tuple(extra.values()),
        edited=edited,
    )


def replace_rule(
    rule: str,
    apply: Callable[..., Array],
    *,
    where: Where = everywhere,
    reshapes: Where = nowhere,
    extra: tuple[str, ...] = (),
) -> Change:
    """Return the change that computes a step by ``apply(context, *inputs)``.

    Parameters
    ----------
    rule, apply, where, reshapes, extra
        See `Change`.

    Returns
    -------
    Change
    """
    return Change(
        rule=rule,
        apply=lambda exact, context, *inputs: apply(context, *inputs),
        replaces=True,
        where=where,
        reshapes=reshapes,
        extra=extra,
    )


def adjust_rule(
    rule: str,
    apply: Callable[..., Array],
    *,
    where: Where = everywhere,
    reshapes: Where = nowhere,
    extra: tuple[str, ...] = (),
    switch: Switch | None = None,
) -> Change:
    """Return the change that computes a step by ``apply(exact, context, *inputs)``, on top of what it is.

    Parameters
    ----------
    rule, apply, where, reshapes, extra, switch
        See `Change`.

    Returns
    -------
    Change
    """
    return Change(rule=rule, apply=apply, replaces=False, where=where, reshapes=reshapes, extra=extra, switch=switch)


def scale_rule(rule: str, factor: float, *, where: Where = everywhere) -> Change:
    """Return the change that puts a factor on what a step is.

    Parameters
    ----------
    rule, where
        See `Change`.
    factor : float

    Returns
    -------
    Change
    """
    return Change(
        rule=rule,
        apply=lambda exact, context, *inputs: factor * exact(*inputs),
        replaces=False,
        scales=factor,
        where=where,
    )


def keep_convention(switch: Switch, *rules: str, where: Where = everywhere) -> tuple[Change, ...]:
    """Return the changes that compute steps as another convention has them.

    Parameters
    ----------
    switch : Switch
        The convention; where the problem states it, nothing is changed.
    *rules : str
        The rules and local Jacobians that depend on it.
    where
        See `Change`.

    Returns
    -------
    tuple of Change
    """

    def change(rule: str) -> Change:
        compute = _exact_rule(rule)
        return Change(
            rule=rule,
            apply=lambda exact, context, *inputs: compute(context.under(switch), *inputs),
            replaces=True,
            where=lambda context: where(context) and is_other(context, switch),
            switch=switch,
        )

    return tuple(map(change, rules))


def is_other(context: RuleContext, switch: Switch) -> bool:
    """Tell whether a convention is another one than the problem's."""
    key, value = switch
    return context.conventions.value(key) != value


def _exact_rule(name: str) -> Callable[..., Array]:
    if name in RULES:
        return RULES[name].apply
    return next(
        local.pull
        for rule in RULES.values()
        for template, local in rule.jacobians.items()
        if name == f"d{rule.output}_d{template}"
    )
