"""The table of steps: the whole of back-propagation, written once, as data.

Each rule computes one quantity from earlier ones, and is a formula written once. Its value, text, LaTeX, rounding bound
and worked solution are read from the formula. A mistake edits it, or puts another rule in its place. Beside the formula
may stand an exact form, which keeps more digits or takes less time; tests compare the two.

Everything else is a reading of the table: gradients run it with the exact rules; another convention or a student's
mistake runs it with a rule changed; follow-through runs it with given values; the long way multiplies the local
Jacobians along a path.

Names in the table are templates: ``{l}`` is the layer at hand, ``{n}`` the last one, ``{*}`` all layers;
``?`` marks what a layer may lack. ``A0`` is X. Beside the quantities of the grammar there are ``y`` (the
targets per output), ``losses`` (one per sample), and the numbers by which conventions enter, each in one
place: ``divisor`` (n_samples for a mean), ``log_of_base`` (ln(log_base)), and for L2 ``l2_coefficient`` and
``bias_l2_coefficient`` (2 · factor · strength, the derivative of the penalty by w as a multiple of w).

References
----------
.. [1] Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, 1986.
.. [2] Nielsen, Neural Networks and Deep Learning, 2015, chapter 2, equations BP1 to BP4.
"""

from core.steps.backward import BACKWARD_RULES
from core.steps.changes import (
    Change,
    Where,
    adjust_rule,
    edit_rule,
    everywhere,
    is_other,
    keep_convention,
    nowhere,
    replace_rule,
    scale_rule,
)
from core.steps.context import RuleContext, Structure
from core.steps.evaluation import evaluate, sources_of
from core.steps.rounding import Rounding
from core.steps.rules import LOSS_DERIVATIVE, SLOPE, LocalJacobian, Rule, formula_symbol
from core.steps.table import MAX_CACHED_DEPTH, RULES, Step, fill, steps_of, structure_of, structure_with

__all__ = [
    "BACKWARD_RULES",
    "LOSS_DERIVATIVE",
    "MAX_CACHED_DEPTH",
    "RULES",
    "SLOPE",
    "Change",
    "LocalJacobian",
    "Rounding",
    "Rule",
    "RuleContext",
    "Step",
    "Structure",
    "Where",
    "adjust_rule",
    "edit_rule",
    "evaluate",
    "everywhere",
    "fill",
    "formula_symbol",
    "is_other",
    "keep_convention",
    "nowhere",
    "replace_rule",
    "scale_rule",
    "sources_of",
    "steps_of",
    "structure_of",
    "structure_with",
]
