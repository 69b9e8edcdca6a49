"""Formulas as data: written once, read as value, text, LaTeX, bound of rounding errors, and numbers written out.

A formula is a tree of `Name`, `Number` and `Apply`, read from the text that people write. `OPERATIONS` holds what is
known of each operation.
"""

from core.formulas.edits import drop, put, replace_part
from core.formulas.entries import MAX_NUMBERS, round_number, value_of_entry, write_entry
from core.formulas.expression import Apply, Edit, Expression, Name, Number, names_in, parts_of, rewrite, substitute
from core.formulas.operations import OPERATIONS, Operation
from core.formulas.printing import number_to_text, to_latex, to_text
from core.formulas.reading import MAX_HEIGHT, MAX_LENGTH, parse_formula
from core.formulas.simplification import ONE, ZERO, simplify
from core.formulas.symbols import CONSTANTS, NUMBERS, axes_lacking, is_lifted, is_number, latex_of
from core.formulas.values import BoundRun, Functions, compile_bound, compile_formula, lift

__all__ = [
    "CONSTANTS",
    "MAX_HEIGHT",
    "MAX_LENGTH",
    "MAX_NUMBERS",
    "NUMBERS",
    "ONE",
    "OPERATIONS",
    "ZERO",
    "Apply",
    "BoundRun",
    "Edit",
    "Expression",
    "Functions",
    "Name",
    "Number",
    "Operation",
    "axes_lacking",
    "compile_bound",
    "compile_formula",
    "drop",
    "is_lifted",
    "is_number",
    "latex_of",
    "lift",
    "names_in",
    "number_to_text",
    "parse_formula",
    "parts_of",
    "put",
    "replace_part",
    "rewrite",
    "round_number",
    "simplify",
    "substitute",
    "to_latex",
    "to_text",
    "value_of_entry",
    "write_entry",
]
