"""KaTeX, which most pages show formulas with, takes all LaTeX that is printed, without a warning."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from core.activations import ACTIVATIONS
from core.conventions import Conventions
from core.formulas import OPERATIONS, Name, latex_of, parse_formula, to_latex
from core.losses import LOSSES
from core.quantities import public_name
from core.solutions import DERIVATIONS, derive, solve_problem
from core.steps import RULES, steps_of, structure_of
from core.steps.naming import formula_of, symbol_of_quantity
from tests.support.formulas import ARRAYS, COUNTS, small_formulas
from tests.support.problems import random_problem, two_layers

PROGRAM = Path(__file__).parents[2] / "support" / "katex"
NPM = shutil.which("npm") or ""

WRONG = (r"\frac{a}", r"\text{a_b}", r"x_{1}_{0}", r"\left(a", r"\unknown", "a′₀")


def entries() -> list[str]:
    """List the LaTeX of all rules, local Jacobians, activations and losses."""
    rules = [rule.latex for rule in RULES.values()]
    jacobians = [to_latex(local.formula) for rule in RULES.values() for local in rule.jacobians.values()]
    activations = [
        text
        for entry in ACTIVATIONS.values()
        for text in (entry.latex, *(to_latex(part) for part in (entry.derivative, entry.gradient) if part))
    ]
    losses = [text for entry in LOSSES.values() for text in (entry.latex, to_latex(entry.derivative))]
    return [*rules, *jacobians, *activations, *losses]


def formulas_of_problems() -> list[str]:
    """List the LaTeX of all formulas of fifty problems."""
    problems = [random_problem(seed) for seed in range(50)]
    return [
        f"{latex_of(symbol_of_quantity(problem, step.output))} = {to_latex(formula_of(problem, step.output))}"
        for problem in problems
        for step in steps_of(structure_of(problem))
        if step.rule.formula
    ]


def solutions() -> list[str]:
    """List the LaTeX of worked solutions, Jacobians among them, and of the derivations."""
    solved = [
        solve_problem(problem, (public_name(f"dA{problem.network.depth}_dW1", problem), "dL_dW1"))
        for problem in map(random_problem, range(50))
    ]
    derived = [
        derive(replace(two_layers(activation=str(LOSSES[loss].output_activation), loss=loss), conventions=conventions))
        for loss in DERIVATIONS
        for conventions in (Conventions(), Conventions(reduction="sum"), Conventions(log_base=2))
    ]
    return [step.latex for one in solved for step in one.steps] + [step.latex for one in derived for step in one.steps]


@pytest.mark.slow
@pytest.mark.skipif(not NPM, reason="there is no npm here")
def test_katex_parses_all_latex_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree(PROGRAM, tmp_path, dirs_exist_ok=True)
    subprocess.run([NPM, "ci", "--no-audit", "--no-fund"], cwd=tmp_path, check=True, timeout=300)
    symbols = [latex_of(name) for name in (*ARRAYS, *COUNTS, "no_number", "x1₀", "dA2/dZ1")]
    numbers = [to_latex(parse_formula(text)) for text in ("1e-5·X", "2.5e300²", "−0.5")]
    small = [to_latex(formula) for formula in small_formulas([Name("X")])]
    latex = [*entries(), *formulas_of_problems(), *solutions(), *symbols, *numbers, *small]
    assert len(latex) > 1_000 + len(OPERATIONS)

    ran = subprocess.run(
        ["node", "parse.mjs"],
        cwd=tmp_path,
        input=json.dumps([*latex, *WRONG]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    said = json.loads(ran.stdout)
    assert {text: error for text, error in zip(latex, said, strict=False) if error} == {}
    # what is wrong is found, so nothing goes unread
    assert all(said[len(latex) :])
