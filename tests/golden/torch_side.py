"""PyTorch's side of the golden files."""

from collections.abc import Callable
from typing import Any

import numpy as np

# only the environment of the golden files has it
import torch

from tests.golden.framework import Nodes


class Torch:
    """PyTorch on one thread."""

    name = "torch"
    version = str(torch.__version__)

    def __init__(self) -> None:
        torch.set_num_threads(1)
        functional = torch.nn.functional
        self.activations: dict[str, Callable[[Any], Any]] = {
            "identity": lambda z: z,
            "sigmoid": torch.sigmoid,
            "tanh": torch.tanh,
            "relu": functional.relu,
            "leaky_relu": lambda z: functional.leaky_relu(z, negative_slope=0.01),
            "softplus": lambda z: functional.softplus(z, threshold=40),
            "gelu": lambda z: functional.gelu(z, approximate="none"),
            "softmax": lambda z: functional.softmax(z, dim=-1),
        }

    def array(self, numbers: Any) -> Any:
        integers = np.asarray(numbers).dtype.kind == "i"
        return torch.tensor(numbers, dtype=torch.int64 if integers else torch.float64)

    def losses(self, name: str, z: Any, a: Any, y: Any, *, labels: bool) -> Any:
        functional = torch.nn.functional
        if name == "cross_entropy":
            return functional.cross_entropy(z, y, reduction="none")
        if name == "binary_cross_entropy":
            return functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(dim=-1)
        rows = functional.one_hot(y, num_classes=a.shape[-1]).to(a.dtype) if labels else y
        squares = functional.mse_loss(a, rows, reduction="none").sum(dim=-1)
        return squares if name == "squared_error" else squares / 2

    def differentiate(self, objective: Callable[[Nodes], tuple[Any, Nodes]], at: Nodes) -> tuple[Any, Nodes, Nodes]:
        leaves = {name: value.clone().requires_grad_() for name, value in at.items()}
        loss, beside = objective(leaves)
        loss.backward()
        detached = {name: value.detach() for name, value in beside.items()}
        return loss.detach(), detached, {name: leaf.grad for name, leaf in leaves.items()}

    def jacobian(self, function: Callable[[Any], Any], at: Any) -> Any:
        return torch.func.jacrev(function)(at)
