"""The choices on which textbooks differ: reduction, L2 term, logarithm's base, order of columns, slope of relu at 0."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Literal, Self, TypeAlias, cast

from core.errors import DomainError, UnknownNameError

REDUCTIONS: dict[str, Callable[[int, int], int]] = {
    "mean": lambda n_samples, n_out: n_samples,
    "sum": lambda n_samples, n_out: 1,
    "mean_over_entries": lambda n_samples, n_out: n_samples * n_out,
}
"""What the sum of the samples' losses is divided by."""

L2_FACTORS = (0.5, 1.0)
LOG_BASES: dict[str | int, float] = {"e": math.e, 2: 2.0, 10: 10.0}

COLUMN_ORDERS: dict[str, Literal["F", "C"]] = {"columns_first": "F", "rows_first": "C"}
"""How a Jacobian's columns follow the weights, as NumPy writes orders."""

RELU_SLOPES = (0.0, 1.0, 0.5)

Switch: TypeAlias = tuple[str, str | float]
"""A convention and one of its values: ``("l2.factor", 1.0)``."""


@dataclass(frozen=True, kw_only=True)
class L2:
    """The penalty factor · strength · Σ w² over all layers' weights.

    Parameters
    ----------
    strength : float
        At least 0; 0 is no penalty.
    factor : float
        0.5 (the default, derivative strength · w) or 1 (derivative 2 · strength · w): textbooks differ.
    biases : bool
        Whether biases are penalised as well.
    per_sample : bool
        Whether the penalty is divided by n_samples: λ/2m with the factor 0.5.

    Raises
    ------
    DomainError
        If the strength is negative or not finite, or the factor another one.
    """

    strength: float = 0.0
    factor: float = 0.5
    biases: bool = False
    per_sample: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength < math.inf:
            raise DomainError(
                f"the L2 strength is {self.strength:g}; needed a finite number of at least 0, because a negative "
                "penalty rewards weights without bound",
                path=("strength",),
            )
        if not math.isfinite(2.0 * self.factor * self.strength):
            raise DomainError(
                f"the L2 strength is {self.strength:g}; needed one whose 2 · factor · strength fits float64, because "
                "the gradient is made with it",
                path=("strength",),
            )
        if self.factor not in L2_FACTORS:
            raise DomainError(
                f"the L2 factor is {self.factor:g}; needed 0.5 or 1, the two that textbooks use", path=("factor",)
            )


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """The choices on which textbooks differ.

    Parameters
    ----------
    reduction : str
        ``"mean"`` or ``"sum"`` of the samples' losses, or ``"mean_over_entries"``: their sum over n_samples · n_out.
    l2 : L2
        The penalty; it is never divided by ln(log_base).
    log_base : str or int
        The cross-entropies' logarithm: ``"e"``, ``2`` or ``10``.
    column_order : str
        How the columns of Jacobians follow the weights: ``"columns_first"`` or ``"rows_first"``.
    relu_at_zero : float
        The slope of relu at exactly z = 0: 0, 1 or 0.5.

    Raises
    ------
    UnknownNameError
        If the reduction, the base or the order is another one.
    DomainError
        If the slope is another one.
    """

    reduction: str = "mean"
    l2: L2 = field(default_factory=L2)
    log_base: str | int = "e"
    column_order: str = "columns_first"
    relu_at_zero: float = 0.0

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise UnknownNameError(
                f"this reduction is not known; needed one of {', '.join(REDUCTIONS)}", path=("reduction",)
            )
        if self.log_base not in LOG_BASES:
            raise UnknownNameError('this log_base is not known; needed "e", 2 or 10', path=("log_base",))
        if self.column_order not in COLUMN_ORDERS:
            raise UnknownNameError(
                f"this column_order is not known; needed one of {', '.join(COLUMN_ORDERS)}", path=("column_order",)
            )
        if self.relu_at_zero not in RELU_SLOPES:
            raise DomainError(
                f"relu_at_zero is {self.relu_at_zero:g}; needed 0, 1 or 0.5, the slopes at z = 0 that are in use",
                path=("relu_at_zero",),
            )

    def value(self, key: str) -> str | float:
        """Return one choice by its key: ``"reduction"``, ``"l2.factor"``."""
        return cast("str | float", attrgetter(key)(self))

    def under(self, switch: Switch) -> Self:
        """Return the same conventions with one choice changed.

        Parameters
        ----------
        switch : Switch

        Returns
        -------
        Conventions
        """
        (*group, name), value = switch[0].split("."), switch[1]
        if group:
            return replace(self, l2=replace(self.l2, **{name: value}))  # type: ignore[arg-type]  # the key's own value
        return replace(self, **{name: value})  # type: ignore[arg-type]  # the key's own value


@dataclass(frozen=True, kw_only=True)
class StatedConventions(Conventions):
    """Conventions of which it is known which were stated, and which are only the defaults.

    Parameters
    ----------
    stated : frozenset of str
        Keys as in a `Switch`: ``"reduction"``, ``"l2.factor"``.
    """

    stated: frozenset[str] = frozenset()

    @classmethod
    def of(cls, conventions: Conventions, stated: frozenset[str]) -> "StatedConventions":
        """Note which of some conventions were stated."""
        return cls(**_choices(conventions), stated=stated)

    def plain(self) -> Conventions:
        """Return the conventions alone."""
        return Conventions(**_choices(self))


def _choices(conventions: Conventions) -> dict[str, Any]:
    return {choice.name: getattr(conventions, choice.name) for choice in fields(Conventions)}


CHOICES_IN_WORDS: dict[str, dict[str | float, str]] = {
    "reduction": {
        "mean": "the mean over the samples",
        "sum": "the sum over the samples",
        "mean_over_entries": "the mean over all entries, samples times outputs",
    },
    "l2.factor": {0.5: "an L2 term with the factor ½", 1: "an L2 term with the factor 1"},
    "l2.biases": {False: "an L2 term of the weights alone", True: "an L2 term of weights and biases"},
    "l2.per_sample": {False: "the whole L2 term", True: "an L2 term divided by the number of samples"},
    "log_base": {"e": "natural logarithms", 2: "logarithms to base 2", 10: "logarithms to base 10"},
    "column_order": {
        "columns_first": "a Jacobian's columns in the order of W's columns",
        "rows_first": "a Jacobian's columns in the order of W's rows",
    },
    "relu_at_zero": {0: "slope 0 of relu at 0", 1: "slope 1 of relu at 0", 0.5: "slope 0.5 of relu at 0"},
}
"""Every choice in words, by the key of its convention; the first is the default."""


def describe_choice(key: str, value: str | float) -> str:
    """Say in words what another convention does in place of the default.

    Parameters
    ----------
    key : str
        ``"reduction"``, ``"l2.factor"``, ...
    value : str or float

    Returns
    -------
    str
    """
    words = CHOICES_IN_WORDS[key]
    return f"{words[value]}, not {next(iter(words.values()))}"
