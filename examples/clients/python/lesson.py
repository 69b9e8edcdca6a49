"""A lesson: the gradient of a softmax layer is Xᵀ·(S − Y)/N. It is computed by hand, asked for, and descended.

usage: python lesson.py ADDRESS KEY
"""

import math
import sys

from gradmark_client import AuthenticatedClient
from gradmark_client.api.compute import compute_forward, compute_gradients, take_steps
from gradmark_client.models import (
    ActivationName,
    ForwardBody,
    ForwardReply,
    GradientsBody,
    GradientsReply,
    LayerBody,
    LossName,
    NetworkBody,
    StepsBody,
    StepsReply,
)

INPUTS = [[1.0, 2.0], [0.5, -1.0], [-1.5, 0.25]]
LABELS = [0, 1, 2]
LAYER = LayerBody(weights=[[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]], activation=ActivationName.SOFTMAX)
NETWORK = NetworkBody(layers=[LAYER])
LOSS = LossName.CROSS_ENTROPY


def main(address: str, key: str) -> None:
    """Go through the lesson."""
    client = AuthenticatedClient(base_url=address, token=key)

    forward = compute_forward.sync(
        client=client, body=ForwardBody(network=NETWORK, inputs=INPUTS, targets=LABELS, loss=LOSS)
    )
    assert isinstance(forward, ForwardReply), forward
    by_hand = weight_gradient(forward.outputs)

    gradients = compute_gradients.sync(
        client=client, body=GradientsBody(network=NETWORK, inputs=INPUTS, targets=LABELS, loss=LOSS, check=True)
    )
    assert isinstance(gradients, GradientsReply), gradients
    assert gradients.layers
    [layer] = gradients.layers
    for row, row_by_hand in zip(layer.grad_weights, by_hand, strict=True):
        for one, other in zip(row, row_by_hand, strict=True):
            assert math.isclose(one, other, rel_tol=1e-12), (layer.grad_weights, by_hand)
    assert gradients.check
    print(f"by hand as by the service; differences of the loss are within {gradients.check.max_abs_error:.0e}")

    descent = take_steps.sync(
        client=client,
        body=StepsBody(network=NETWORK, inputs=INPUTS, targets=LABELS, loss=LOSS, learning_rate=0.5, count=20),
    )
    assert isinstance(descent, StepsReply), descent
    assert descent.losses[-1] < descent.losses[0]
    print(f"20 steps: the loss falls from {descent.losses[0]:.4f} to {descent.losses[-1]:.4f}")


def weight_gradient(probabilities: list[list[float]]) -> list[list[float]]:
    """Compute Xᵀ·(S − Y)/N."""
    residuals = [
        [probability - (k == label) for k, probability in enumerate(row)]
        for row, label in zip(probabilities, LABELS, strict=True)
    ]
    return [
        [
            sum(x[i] * residual[k] for x, residual in zip(INPUTS, residuals, strict=True)) / len(INPUTS)
            for k in range(len(residuals[0]))
        ]
        for i in range(len(INPUTS[0]))
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
