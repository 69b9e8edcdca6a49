"""What is asked of PyTorch and of JAX."""

from collections.abc import Callable
from typing import Any, Protocol

Nodes = dict[str, Any]
"""A framework's arrays by their numbered names: X, W1, b1, Z1, A1 and so on."""


class Framework(Protocol):
    """What is asked of PyTorch and of JAX."""

    name: str
    version: str
    activations: dict[str, Callable[[Any], Any]]

    def array(self, numbers: Any) -> Any:
        """Return float64, or integers for class indices."""

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        """Return one loss per sample in nats, by the framework's own stable functions."""

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        """Return the objective, what it gives beside, and its gradients."""

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        """Return the derivative by reverse mode, output axes first."""
