"""The choices on which textbooks differ: mean or sum, the L2 term, the logarithm's base."""

import math
from dataclasses import dataclass, field

from core.errors import DomainError, UnknownNameError

REDUCTIONS = ("mean", "sum")
L2_FACTORS = (0.5, 1.0)
LOG_BASES: dict[str | int, float] = {"e": math.e, 2: 2.0, 10: 10.0}


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

    Raises
    ------
    DomainError
        If the strength is negative or not finite, or the factor another one.
    """

    strength: float = 0.0
    factor: float = 0.5
    biases: bool = False

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
        ``"mean"`` or ``"sum"`` of the samples' losses.
    l2 : L2
        The penalty; it is divided neither by n_samples nor by ln(log_base).
    log_base : str or int
        The cross-entropies' logarithm: ``"e"``, ``2`` or ``10``.

    Raises
    ------
    UnknownNameError
        If the reduction or the base is another one.
    """

    reduction: str = "mean"
    l2: L2 = field(default_factory=L2)
    log_base: str | int = "e"

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise UnknownNameError("this reduction is not known; needed mean or sum", path=("reduction",))
        if self.log_base not in LOG_BASES:
            raise UnknownNameError('this log_base is not known; needed "e", 2 or 10', path=("log_base",))


@dataclass(frozen=True, kw_only=True)
class StatedConventions(Conventions):
    """Conventions of which it is known which were stated, and which are only the defaults.

    Parameters
    ----------
    stated : frozenset of str
        ``"reduction"``, ``"log_base"``, ``"l2.strength"``, ``"l2.factor"``, ``"l2.biases"``.
    """

    stated: frozenset[str] = frozenset()

    def plain(self) -> Conventions:
        """Return the conventions alone."""
        return Conventions(reduction=self.reduction, l2=self.l2, log_base=self.log_base)


CHOICE_WORDS: dict[tuple[str, str | float], str] = {
    ("reduction", "sum"): "the sum over the samples, not their mean",
    ("reduction", "mean_over_entries"): "the mean over all entries, not over the samples",
    ("l2.factor", 1): "an L2 term with the factor 1, not ½",
    ("l2.per_sample", True): "an L2 term divided by the number of samples, not the whole term",
    ("log_base", 2): "logarithms to base 2, not natural ones",
    ("log_base", 10): "logarithms to base 10, not natural ones",
    ("column_order", "rows_first"): "a Jacobian's columns in the order of W's rows, not of its columns",
    ("relu_at_zero", 1): "slope 1 of relu at 0, not slope 0",
    ("relu_at_zero", 0.5): "slope 0.5 of relu at 0, not slope 0",
}
"""Other choices than the defaults, in words."""


def describe_choice(switch: str, value: str | float) -> str:
    """Say in words what another convention does in place of the default.

    Parameters
    ----------
    switch : str
        ``"reduction"``, ``"l2.factor"``, ...
    value : str or float

    Returns
    -------
    str
    """
    return CHOICE_WORDS.get((switch, value), f"{switch} = {value}")
