"""Jacobians: the local ones of each step, and their products along the path between two quantities.

A Jacobian d{of}_d{by} has one matrix per sample: rows are the outputs, columns the inputs, with weights
stacked by columns (index i·n_in + j for input j of output i), the order of matrix calculus, or by rows where
the problem's column_order says so.

References
----------
.. [1] Magnus & Neudecker, Matrix Differential Calculus, 3rd ed. 2019, section 9.2 (vec and ⊗).
"""

from core.jacobians.derivatives import (
    Jacobian,
    Jacobians,
    Values,
    compute_jacobians,
    compute_product,
    evaluate_together,
)
from core.jacobians.labels import labels_of
from core.jacobians.paths import Link, multiply_path, names_behind, path_between
from core.jacobians.sizes import derivative_numbers, describe_size, measure_derivatives, require_room

__all__ = [
    "Jacobian",
    "Jacobians",
    "Link",
    "Values",
    "compute_jacobians",
    "compute_product",
    "derivative_numbers",
    "describe_size",
    "evaluate_together",
    "labels_of",
    "measure_derivatives",
    "multiply_path",
    "names_behind",
    "path_between",
    "require_room",
]
