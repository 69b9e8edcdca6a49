"""JAX's side of the golden files."""

from collections.abc import Callable
from typing import Any

# only the environment of the golden files has it
import jax
import numpy as np

from tests.golden.framework import Nodes


class Jax:
    """JAX on the CPU."""

    name = "jax"
    version = str(jax.__version__)

    def __init__(self) -> None:
        jax.config.update("jax_enable_x64", True)  # noqa: FBT003 (jax names no argument here)
        jax.config.update("jax_platforms", "cpu")
        self.activations: dict[str, Callable[[Any], Any]] = {
            "identity": lambda z: z,
            "sigmoid": jax.nn.sigmoid,
            "tanh": jax.numpy.tanh,
            "relu": jax.nn.relu,
            "leaky_relu": lambda z: jax.nn.leaky_relu(z, negative_slope=0.01),
            "softplus": jax.nn.softplus,
            "gelu": lambda z: jax.nn.gelu(z, approximate=False),
            "softmax": lambda z: jax.nn.softmax(z, axis=-1),
        }

    def array(self, numbers: Any) -> Any:
        return jax.numpy.asarray(np.asarray(numbers))

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        rows = jax.nn.one_hot(y, a.shape[-1], dtype=a.dtype) if labels else y
        if name == "cross_entropy":
            return -(rows * jax.nn.log_softmax(z, axis=-1)).sum(axis=-1)
        if name == "binary_cross_entropy":
            return -(rows * jax.nn.log_sigmoid(z) + (1 - rows) * jax.nn.log_sigmoid(-z)).sum(axis=-1)
        squares = ((a - rows) ** 2).sum(axis=-1)
        return squares if name == "squared_error" else squares / 2

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        (loss, beside), gradients = jax.value_and_grad(objective, has_aux=True)(at)
        return loss, beside, gradients

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        return jax.jacrev(function)(at)
