"""The derivation of dL/dZ from dL/dS and dS/dZ, rule by rule, where a loss and its activation cancel.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.106 (dS/dZ), 4.88 and 4.109.
"""

from dataclasses import dataclass

from core.errors import DomainError
from core.formulas import latex_of, to_latex, to_text
from core.nodes import logits_node
from core.problem import Problem
from core.quantities import public_name
from core.registry import Registry
from core.steps import RuleContext
from core.steps.loss import divisor_of
from core.steps.naming import formula_of, symbol_of_quantity


@dataclass(frozen=True, kw_only=True)
class DerivationStep:
    """One step of a derivation.

    Parameters
    ----------
    rule : str
        The rule of differentiation that is used.
    text : str
        What it says here, for students.
    latex : str
        What comes out, as an equation.
    """

    rule: str
    text: str
    latex: str


@dataclass(frozen=True, kw_only=True)
class Derivation:
    """How a gradient's short formula comes about.

    Parameters
    ----------
    quantity : str
        The gradient's id.
    steps : tuple of DerivationStep
    """

    quantity: str
    steps: tuple[DerivationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A derivation for any problem with a loss.

    Parameters
    ----------
    name : str
        The loss's.
    steps : tuple of DerivationStep
        Their texts and LaTeX stand for all problems: ``§`` is the constant factor before the sum, and in braces stand
        parts that some problems lack; see `derive`.
    """

    name: str
    steps: tuple[DerivationStep, ...]


DERIVATIONS: Registry[Template] = Registry(
    "derivation",
    Template(
        name="cross_entropy",
        steps=(
            DerivationStep(
                rule="sum_rule",
                text="The loss adds up one term for each sample m and class k{constant}. The derivative of a sum "
                "is the sum of the derivatives.",
                latex=r"\frac{\partial L}{\partial z_{ni}} = -§ \sum_{m} \sum_{k} "
                r"\frac{\partial}{\partial z_{ni}} \left( y_{mk} \ln s_{mk} \right)",
            ),
            DerivationStep(
                rule="independence",
                text="Each row of S is computed from its own row of Z alone, so the terms of all samples but n have "
                "the derivative 0. The targets do not depend on Z: each is a constant factor.{penalty}",
                latex=r"\frac{\partial L}{\partial z_{ni}} = -§ \sum_{k} y_{nk} "
                r"\frac{\partial \ln s_{nk}}{\partial z_{ni}}",
            ),
            DerivationStep(
                rule="chain_rule",
                text="The logarithm depends on z only through the probability s. So its derivative by z is its "
                "derivative by s times the derivative of s by z.",
                latex=r"\frac{\partial L}{\partial z_{ni}} = -§ \sum_{k} y_{nk} "
                r"\frac{d \ln s_{nk}}{d s_{nk}} \frac{\partial s_{nk}}{\partial z_{ni}}",
            ),
            DerivationStep(
                rule="logarithm_rule",
                text="The derivative of ln s is 1/s.{base} The factors before dS/dZ are dL/dS.",
                latex=r"\frac{\partial L}{\partial s_{nk}} = -§ \frac{y_{nk}}{s_{nk}}",
            ),
            DerivationStep(
                rule="quotient_rule",
                text="From here on the sample n is left out. A probability is a quotient u/v: u is e^z of its own "
                "class, v the sum over all classes. Its derivative is (u′·v − u·v′)/v², and v′ by z of class i is "
                "e^z of that class.",
                latex=r"\frac{\partial s_k}{\partial z_i} = \frac{\frac{\partial e^{z_k}}{\partial z_i} \sum_j e^{z_j} "
                r"- e^{z_k} e^{z_i}}{\left( \sum_j e^{z_j} \right)^2}",
            ),
            DerivationStep(
                rule="same_class",
                text="Case i = k: u′ is e^z of class i.",
                latex=r"\frac{\partial s_i}{\partial z_i} = \frac{e^{z_i}}{\sum_j e^{z_j}} - "
                r"\left( \frac{e^{z_i}}{\sum_j e^{z_j}} \right)^2 = s_i \left( 1 - s_i \right)",
            ),
            DerivationStep(
                rule="other_class",
                text="Case i ≠ k: u does not depend on this z, so u′ is 0. Both cases together are "
                "dS/dZ = diag(s) − s·sᵀ.",
                latex=r"\frac{\partial s_k}{\partial z_i} = -\frac{e^{z_k}}{\sum_j e^{z_j}} "
                r"\frac{e^{z_i}}{\sum_j e^{z_j}} = -s_k s_i",
            ),
            DerivationStep(
                rule="two_cases",
                text="In the sum over the classes the term k = i takes the first case, all others take the second.",
                latex=r"\frac{\partial L}{\partial z_i} = -§ \left( \frac{y_i}{s_i} s_i \left( 1 - s_i \right) - "
                r"\sum_{k \ne i} \frac{y_k}{s_k} s_k s_i \right)",
            ),
            DerivationStep(
                rule="cancellation",
                text="Each probability below a fraction bar cancels. What is left of the sum, and the term of k = i, "
                "have the factor s of class i in common.",
                latex=r"\frac{\partial L}{\partial z_i} = -§ \left( y_i - y_i s_i - \sum_{k \ne i} y_k s_i \right) = "
                r"§ \left( s_i \sum_{k} y_k - y_i \right)",
            ),
            DerivationStep(
                rule="targets_sum_to_one",
                text="The targets of a sample add up to 1, because {targets}. The sum is gone.",
                latex=r"\frac{\partial L}{\partial z_i} = § \left( s_i - y_i \right)",
            ),
        ),
    ),
    Template(
        name="binary_cross_entropy",
        steps=(
            DerivationStep(
                rule="sum_rule",
                text="The loss adds up one term for each sample m and output k{constant}. The derivative of a sum is "
                "the sum of the derivatives.",
                latex=r"\frac{\partial L}{\partial z_{ni}} = -§ \sum_{m} \sum_{k} \frac{\partial}{\partial z_{ni}} "
                r"\left( y_{mk} \ln a_{mk} + \left( 1 - y_{mk} \right) \ln \left( 1 - a_{mk} \right) \right)",
            ),
            DerivationStep(
                rule="independence",
                text="Each output is computed from its own pre-activation alone, so all other terms have the "
                "derivative 0. The targets do not depend on Z: each is a constant factor.{penalty} From here on n "
                "and i are left out.",
                latex=r"\frac{\partial L}{\partial z} = -§ \left( y \frac{\partial \ln a}{\partial z} + "
                r"\left( 1 - y \right) \frac{\partial \ln \left( 1 - a \right)}{\partial z} \right)",
            ),
            DerivationStep(
                rule="chain_rule",
                text="The logarithms depend on z only through the output a. So their derivatives by z are those by a "
                "times the derivative of a by z.",
                latex=r"\frac{\partial L}{\partial z} = \frac{\partial L}{\partial a} \frac{d a}{d z}",
            ),
            DerivationStep(
                rule="logarithm_rule",
                text="The derivative of ln a is 1/a, and that of ln(1 − a) is −1/(1 − a).{base} This is dL/dA.",
                latex=r"\frac{\partial L}{\partial a} = § \left( \frac{1 - y}{1 - a} - \frac{y}{a} \right)",
            ),
            DerivationStep(
                rule="quotient_rule",
                text="The output is the quotient a = 1/(1 + e^(−z)). The derivative of 1/v is −v′/v², and v′ is "
                "−e^(−z).",
                latex=r"\frac{d a}{d z} = \frac{e^{-z}}{\left( 1 + e^{-z} \right)^2} = a \left( 1 - a \right)",
            ),
            DerivationStep(
                rule="cancellation",
                text="In the product a cancels in one term and 1 − a in the other. Then y·a is added and subtracted.",
                latex=r"\frac{\partial L}{\partial z} = § \left( \left( 1 - y \right) a - y \left( 1 - a \right) "
                r"\right) = § \left( a - y \right)",
            ),
        ),
    ),
)


def derive(problem: Problem) -> Derivation:
    """Derive the gradient by the last pre-activations, for a problem's loss, reduction and base of logarithms.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Derivation

    Raises
    ------
    DomainError
        If the problem has no loss, or one that does not cancel with the last activation.
    """
    template = DERIVATIONS.get(problem.loss or "")
    if template is None:
        found = "no loss" if problem.loss is None else f"{problem.loss} after {problem.network.output_activation}"
        raise DomainError(
            f"the problem has {found}; needed {' or '.join(DERIVATIONS)}, because only with those the loss and the "
            "last activation cancel in dL/dZ",
            path=("derive",),
        )
    base = problem.conventions.log_base
    divisor = divisor_of(RuleContext(problem, problem.network.depth))
    factors = ["N"] * (float(divisor) != 1.0) + [rf"\ln {base}"] * (base != "e")
    words = {
        "constant": f", each with the factor 1/{_name_factor(base, by_count='N' in factors)}" if factors else "",
        "base": "" if base == "e" else f" To base {base}, ln s is divided by ln {base}: that stands in front already.",
        "penalty": " The penalty depends on parameters alone: its derivative is 0, too."
        if problem.conventions.l2.strength
        else "",
        "targets": "they are one-hot" if problem.has_labels else "they are a distribution over the classes",
    }
    constant = rf"\frac{{1}}{{{' '.join(factors)}}}" if factors else ""
    steps = tuple(
        DerivationStep(
            rule=step.rule, text=step.text.format(**words), latex=" ".join(step.latex.replace("§", constant).split())
        )
        for step in template.steps
    )
    key = logits_node(problem.network)
    symbol, formula = symbol_of_quantity(problem, f"dL_d{key}"), formula_of(problem, f"dL_d{key}")
    result = DerivationStep(
        rule="result",
        text=f"For all entries at once: {symbol} = {to_text(formula)}.",
        latex=f"{latex_of(symbol)} = {to_latex(formula)}",
    )
    return Derivation(quantity=public_name(f"dL_d{key}", problem), steps=(*steps, result))


def _name_factor(base: str | int, *, by_count: bool) -> str:
    if base == "e":
        return "N"
    return f"(N·ln {base})" if by_count else f"ln {base}"
