"""The mathematics of Gradmark, and the teaching: NumPy and the standard library only.

Everything is a reading of one table of steps. Read from the bottom up; a module imports only from those above it
in this list. The same order is a contract in ``pyproject.toml``.

What arrays are
    `errors`          what a caller can cause, each with the path to its place
    `arrays`          the checks that every array passes
    `registry`        read-only collections of named entries
    `formulas`        formulas as data: read as value, text, LaTeX, and bound of rounding errors
    `kernels`         softmax with cross-entropy, and the softmax's Jacobians, on plain arrays and fast

What is differentiated
    `activations`     the kinds, value and derivative side by side
    `losses`          the same of losses
    `conventions`     the choices on which textbooks differ
    `problem`         layers, a network, and a problem with inputs, targets, loss and conventions
    `nodes`           the table of node symbols: what a network is made of, by its letters
    `quantities`      the ids of all that can be computed, asked for or marked
    `budget`          how much one computation may hold and do
    `invariants`      what holds of a quantity whatever the numbers

How it is computed
    `steps`           THE TABLE: rules, their bounds of rounding errors, changes of rules, and `evaluate`
    `verification`    derivatives by differences of the forward pass, which share no code with the backward pass
    `jacobians`       products of the table's local Jacobians
    `propagation`     forward pass and gradients: what most callers want
    `descent`         steps of gradient descent
    `solutions`       worked solutions: each step with its formula, shapes, reason and numbers
    `softmax_layer`   one layer at one sample, the long way and by the shortcut

What goes wrong
    `mistakes`        what students get wrong: other rules in the table, or something done to the finished answer
    `scenarios`       the table under any selection of mistakes, each number computed once

What is handed in
    `answers`         numbers and text as people write them become arrays
    `grading`         verdicts and credit; its `diagnosis` finds the mistakes that predict an answer
    `exercises`       problems drawn so that no mistake stays hidden, and an audit of a teacher's own
    `grade_requests`  grading on request: the one entry for services
    `solution_requests`  what of an exercise's solution its holder may read

A newcomer reads `problem`, `steps` and one family of `mistakes` first.
"""

__version__ = "0.1.0"
