"""Forward passes, gradients, Jacobians and descent: pure functions of the body."""

from app.examples import FORWARD, GRADIENTS, JACOBIANS, SOFTMAX_LAYER, STEPS
from app.operations.operation import Operation
from app.schemas.compute_bodies import ForwardBody, GradientsBody, JacobiansBody, SoftmaxLayerBody, StepsBody
from app.schemas.compute_replies import ForwardReply, GradientsReply, JacobiansReply, SoftmaxLayerReply, StepsReply
from core.budget import Budget
from core.descent import Descent, descend
from core.jacobians import Jacobians, compute_jacobians
from core.propagation import Forward, Gradients, compute_forward, compute_gradients
from core.softmax_layer import SoftmaxLayerResult, compute_softmax_layer

TAG = {"name": "compute", "description": "Forward passes, gradients, Jacobians, descent: pure functions of the body."}


def create_softmax_layer(body: SoftmaxLayerBody, budget: Budget) -> SoftmaxLayerResult:
    """Compute one softmax layer at one sample: every factor of the chain, their product, and the shortcut.

    With D inputs and K classes: Z, S, dL_dS, dL_dZ, dL_db (K,); dL_dX (D,); dL_dW (D, K), as W; dS_dZ
    (K, K); dZ_dW and dS_dW (K, D·K), columns stacking W by columns. `chain.row` is the product
    dL_dS · dS_dZ · dZ_dW, D·K numbers. −y/S overflows where S underflows, a logit gap of about 709: then
    ask for the other quantities.
    """
    return compute_softmax_layer(body, budget=budget)


def create_forward(body: ForwardBody, budget: Budget) -> Forward:
    """Run a forward pass: every layer's pre-activations and activations, (n_samples, n_out) each.

    With targets also the batch's `loss`, L2 included, and each sample's own in `losses`, (n_samples,).
    """
    return compute_forward(body, budget=budget)


def create_gradients(body: GradientsBody, budget: Budget) -> Gradients:
    """Compute the loss's gradients by every weight, every bias and the inputs, each in the shape of its own.

    With `check`, entries are compared with complex steps through the forward pass, which share no code with
    the backward pass. One entry takes one forward pass. Where all entries would exceed the limit of operations,
    a sample is compared, always the same one, spread over all arrays. `entries` says how many of how many.
    """
    return compute_gradients(body, check=body.check, budget=budget)


def create_jacobians(body: JacobiansBody, budget: Budget) -> Jacobians:
    """Compute any derivative d{of}_d{by}, with the factors whose product it is.

    A Jacobian is (n_samples, n_rows, n_columns), weights stacked as column_order says; a derivative of L has the
    shape of what it is taken by: its factors' product summed over samples, plus L2.
    """
    return compute_jacobians(body, body.jacobians, budget=budget)


def create_steps(body: StepsBody, budget: Budget) -> Descent:
    """Take steps of gradient descent, w ← w − η · ∂L/∂w over the whole batch.

    The reply has the loss before the first step and after each, (count + 1,), and the new network in the
    form of a request, ready for the next one.
    """
    return descend(body, body.learning_rate, body.count, budget=budget)


OPERATIONS = (
    Operation(
        name="create_softmax_layer",
        method="POST",
        path="/v1/softmax-layer",
        tag=TAG["name"],
        admits=("compute",),
        handler=create_softmax_layer,
        body=SoftmaxLayerBody,
        reply=SoftmaxLayerReply,
        examples=SOFTMAX_LAYER,
        estimate=SoftmaxLayerBody.work,
    ),
    Operation(
        name="create_forward",
        method="POST",
        path="/v1/forward",
        tag=TAG["name"],
        admits=("compute",),
        handler=create_forward,
        body=ForwardBody,
        reply=ForwardReply,
        examples=FORWARD,
        estimate=ForwardBody.work,
    ),
    Operation(
        name="create_gradients",
        method="POST",
        path="/v1/gradients",
        tag=TAG["name"],
        admits=("compute",),
        handler=create_gradients,
        body=GradientsBody,
        reply=GradientsReply,
        examples=GRADIENTS,
        estimate=GradientsBody.work,
    ),
    Operation(
        name="create_jacobians",
        method="POST",
        path="/v1/jacobians",
        tag=TAG["name"],
        admits=("compute",),
        handler=create_jacobians,
        body=JacobiansBody,
        reply=JacobiansReply,
        examples=JACOBIANS,
        estimate=JacobiansBody.work,
    ),
    Operation(
        name="create_steps",
        method="POST",
        path="/v1/steps",
        tag=TAG["name"],
        admits=("compute",),
        handler=create_steps,
        body=StepsBody,
        reply=StepsReply,
        examples=STEPS,
        estimate=StepsBody.work,
    ),
)
