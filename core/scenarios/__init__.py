"""What-if readings of the table: quantities under any selection of variants, each number computed once.

A change reaches the steps downstream of it and no others. So a value is kept under the changes that reach
it, and two scenarios share all that they have in common: of a thousand pairs of mistakes most differ in a
step or two. What takes the same rule under many selections is computed at once, stacked along a leading
axis; a change that gives another shape says so and runs alone. Nothing is checked to be finite here; a wrong
way of computing may well overflow.

`scenarios` is what callers use, with a `selection` of variants; `graph` has a `node` for each step, and `runs`
computes a node's values.
"""

from core.scenarios.scenarios import Scenarios
from core.scenarios.selection import NO_VARIANTS, Selection, join, numbers_in, select

__all__ = ["NO_VARIANTS", "Scenarios", "Selection", "join", "numbers_in", "select"]
