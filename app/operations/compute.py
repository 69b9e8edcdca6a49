"""Forward passes, gradients, Jacobians, descent and worked solutions: pure functions of the body."""

from functools import partial
from typing import Any, cast

from latex2mathml.converter import convert

from app.access.admission import TOKEN, Caller
from app.access.refusals import unauthorized
from app.access.rights import open_solution
from app.examples import FORWARD, GRADIENTS, JACOBIANS, SOFTMAX_LAYER, SOLUTIONS, STEPS
from app.operations.operation import BODY_PROBLEMS, Operation, Work
from app.schemas.compute_bodies import (
    ConventionsBody,
    ForwardBody,
    GradientsBody,
    JacobiansBody,
    SoftmaxLayerBody,
    SolutionBody,
    StepsBody,
)
from app.schemas.compute_replies import (
    DerivationReply,
    DerivationStepReply,
    ForwardReply,
    GradientsReply,
    JacobiansReply,
    SoftmaxLayerReply,
    SolutionReply,
    SolutionStepReply,
    StepsReply,
)
from core import descent, jacobians, propagation, softmax_layer, solution_requests, solutions
from core.budget import CALL_COST, Budget, forward_operations
from core.errors import CoreError
from core.quantities import parse_quantities

MOST_ESTIMATED = 20  # more derivatives than this are no small work, whatever they are

TAG = {
    "name": "compute",
    "description": "Forward passes, gradients, Jacobians, descent, worked solutions: pure functions of the body.",
}


def compute_softmax_layer(body: SoftmaxLayerBody, budget: Budget) -> softmax_layer.SoftmaxLayerResult:
    """Compute one softmax layer at one sample: every factor of the chain, their product, and the shortcut.

    With D inputs and K classes: Z, S, dL_dS, dL_dZ, dL_db (K,); dL_dX (D,); dL_dW (D, K), as W; dS_dZ
    (K, K); dZ_dW and dS_dW (K, D·K), columns stacking W by columns. `chain.row` is the product
    dL_dS · dS_dZ · dZ_dW, D·K numbers. −y/S overflows where S underflows, a logit gap of about 709: then
    ask for the other quantities.
    """
    return softmax_layer.compute_softmax_layer(body, budget=budget)


def estimate_softmax_layer(body: SoftmaxLayerBody) -> Work:
    """Bound what the quantities take together: most of it is in the Jacobians."""
    n_classes, size = body.weights.shape[1], body.weights.size
    numbers = 4 * size + len(body.plan.links) * n_classes * max(n_classes, size)
    return Work(operations=n_classes * numbers + CALL_COST * len(body.plan.asked), numbers=numbers)


def compute_forward(body: ForwardBody, budget: Budget) -> propagation.Forward:
    """Run a forward pass: every layer's pre-activations and activations, (n_samples, n_out) each.

    With targets also the batch's `loss`, L2 included, and each sample's own in `losses`, (n_samples,).
    """
    return propagation.compute_forward(body, budget=budget)


def estimate_forward(body: ForwardBody) -> Work:
    """Count a forward pass, and two numbers for each output of a layer."""
    numbers = 2 * body.n_samples * sum(body.network.widths[1:])
    return Work(operations=forward_operations(body.network, body.n_samples), numbers=numbers)


def compute_gradients(body: GradientsBody, budget: Budget) -> propagation.Gradients | propagation.NamedValues:
    """Compute the loss's gradients by every weight, every bias and the inputs, each in the shape of its own.

    With `check`, entries are compared with complex steps through the forward pass, which share no code with
    the backward pass. One entry takes one forward pass. Where all entries would exceed the limit of operations,
    a sample is compared, always the same one, spread over all arrays. `entries` says how many of how many.
    With `quantities` the reply has just those, any forward quantity or derivative of L: dL_dZ of every layer is δ.
    """
    if body.quantities is not None:
        return propagation.compute_named(body, body.quantities, budget=budget)
    return propagation.compute_gradients(body, check=body.check, budget=budget)


def estimate_gradients(body: GradientsBody) -> Work:
    """Count a forward and a backward pass, and at most a check of every entry where it is asked for."""
    numbers = body.network.n_parameters + body.inputs.size
    if body.quantities is not None:
        # each is at most as large as the largest of these
        numbers = len(body.quantities) * max(numbers, body.n_samples * max(body.network.widths))
    passes = 3 + (numbers if body.check else 0)
    return Work(operations=passes * forward_operations(body.network, body.n_samples), numbers=numbers)


def compute_jacobians(body: JacobiansBody, budget: Budget) -> jacobians.Jacobians:
    """Compute any derivative d{of}_d{by}, with the factors whose product it is.

    A Jacobian is (n_samples, n_rows, n_columns), weights stacked as column_order says; a derivative of L has the
    shape of what it is taken by: its factors' product summed over samples, plus L2.
    """
    return jacobians.compute_jacobians(body, body.jacobians, budget=budget)


def estimate_jacobians(body: JacobiansBody) -> Work | None:
    """Count what the derivatives take together; many take long to count themselves."""
    if len(body.jacobians) > MOST_ESTIMATED:
        return None
    try:
        quantities = parse_quantities(body.jacobians, body, path=())
    except CoreError:
        # it is refused at once
        return Work(operations=0, numbers=0)
    return Work(*jacobians.measure_derivatives(body, quantities.values()))


def take_steps(body: StepsBody, budget: Budget) -> descent.Descent:
    """Take steps of gradient descent, w ← w − η · ∂L/∂w over the whole batch.

    The reply has the loss before the first step and after each, (count + 1,), and the new network in the
    form of a request, ready for the next one.
    """
    return descent.descend(body, body.learning_rate, body.count, budget=budget)


def estimate_steps(body: StepsBody) -> Work:
    """Count the steps, each a forward and a backward pass."""
    operations = 3 * (body.count + 1) * forward_operations(body.network, body.n_samples)
    return Work(operations=operations, numbers=body.network.n_parameters + body.count)


def solve_problem(body: SolutionBody, budget: Budget, caller: Caller) -> SolutionReply:
    """Work a problem out step by step: each step's formula, shapes, reason, value, checks, and one entry in numbers.

    The steps are those that the quantities need. A Jacobian is multiplied from the left; each local factor is a step.
    A token in place of the problem gives the solution of its exercise. Below the level full it has no numbers, and
    its steps go up to the first that the `answers` have not right.
    """
    options: dict[str, Any] = {
        "entry": body.entry,
        "decimals": body.decimals,
        "with_derivation": body.derive,
        "budget": budget,
    }
    if body.token is not None:
        granted, shows_numbers = open_solution(caller, body.token, has_entry=body.entry is not None)
        options |= {"answers": body.answers, "shows_numbers": shows_numbers}
        return _reply(solution_requests.solve_exercise(granted, body.quantities, **options))
    if not caller.may("compute"):
        raise unauthorized()
    # without a token the body has a problem
    return _reply(solutions.solve_problem(cast("ForwardBody", body.problem), body.quantities, **options))


def _reply(solution: solutions.WorkedSolution) -> SolutionReply:
    return SolutionReply(
        conventions=cast("ConventionsBody", solution.conventions),
        steps=tuple(SolutionStepReply(**vars(step), mathml=_to_mathml(step.latex)) for step in solution.steps),
        derivation=None if solution.derivation is None else _show_derivation(solution.derivation),
        text=solution.text,
    )


def _show_derivation(derivation: solutions.Derivation) -> DerivationReply:
    steps = (DerivationStepReply(**vars(step), mathml=_to_mathml(step.latex)) for step in derivation.steps)
    return DerivationReply(quantity=derivation.quantity, steps=tuple(steps))


def _to_mathml(latex: str) -> str:
    return str(convert(latex, display="block"))


_computation = partial(Operation, tag=TAG["name"], admits=("compute",))

OPERATIONS = (
    _computation(
        handler=compute_softmax_layer,
        path="/v1/softmax-layer",
        reply=SoftmaxLayerReply,
        examples=SOFTMAX_LAYER,
        estimate=estimate_softmax_layer,
    ),
    _computation(
        handler=compute_forward,
        path="/v1/forward",
        reply=ForwardReply,
        examples=FORWARD,
        estimate=estimate_forward,
    ),
    _computation(
        handler=compute_gradients,
        path="/v1/gradients",
        reply=GradientsReply,
        examples=GRADIENTS,
        estimate=estimate_gradients,
    ),
    _computation(
        handler=compute_jacobians,
        path="/v1/jacobians",
        reply=JacobiansReply,
        examples=JACOBIANS,
        estimate=estimate_jacobians,
    ),
    _computation(
        handler=take_steps,
        path="/v1/steps",
        reply=StepsReply,
        examples=STEPS,
        estimate=estimate_steps,
    ),
    # without an estimate a worker process does it: writing formulas holds the GIL
    _computation(
        handler=solve_problem,
        path="/v1/solutions",
        admits=("compute", TOKEN),
        reply=SolutionReply,
        examples=SOLUTIONS,
        problems=(*BODY_PROBLEMS, 401, 403),
    ),
)
