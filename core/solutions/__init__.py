"""Worked solutions: the table of steps read for people, each step with its formula, shapes, reason, checks and numbers.

`lines` decides what is worked out and by which formula, `worked` puts the numbers in, `derivation` shows where the
shortest of the formulas comes from, and `markdown` writes all of it as a text.
"""

from core.solutions.derivation import DERIVATIONS, Derivation, DerivationStep, derive
from core.solutions.step import SolutionStep, StepCheck, WrittenEntry
from core.solutions.worked import DEFAULT_DECIMALS, MAX_DECIMALS, WorkedSolution, solve_problem

__all__ = [
    "DEFAULT_DECIMALS",
    "DERIVATIONS",
    "MAX_DECIMALS",
    "Derivation",
    "DerivationStep",
    "SolutionStep",
    "StepCheck",
    "WorkedSolution",
    "WrittenEntry",
    "derive",
    "solve_problem",
]
