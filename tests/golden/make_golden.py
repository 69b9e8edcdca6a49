"""Make torch.json and jax.json: what PyTorch and JAX compute for the problems of cases.py, in float64.

    python3.11 -m venv /tmp/golden
    /tmp/golden/bin/pip install torch==2.13.0 jax==0.10.2 numpy==2.4.6
    /tmp/golden/bin/python -m tests.golden.make_golden

This package stands alone: nothing of Gradmark is imported, every derivative is the framework's autograd. Problems
are drawn with plain NumPy, each seeded by its own name or index, so a new case changes no other; they stand in the
files in the shape of the API, beside what was computed for them, at full precision. A second run on the same
machine writes the same bytes; other versions and processors may differ in last digits.

A file holds ``versions``, the ``activations`` and ``losses`` it covers, and ``cases`` by name:

- ``problem``: the body of a request to /v1/gradients;
- ``loss``, ``losses`` (per sample, in the convention's base, without L2), ``outputs``;
- ``gradients``: dL_d* by every parameter and by the inputs;
- ``jacobians``, in some cases: one matrix per sample, weights stacked by columns.

Choices, where a framework has its own mind:

- PyTorch's softplus drops exp(-z) above z = 20, an error of up to 2e-9; its threshold is set to 40 here.
- JAX takes 1 for leaky_relu's derivative at 0, PyTorch the slope; Gradmark follows PyTorch. That case is in
  torch.json only. relu's derivative at 0 is 0 in both.
- For a right prediction whose logits lie 10 to 700 apart, both lose digits of cross_entropy and its gradient
  by the right logit, PyTorch of binary_cross_entropy's gradient too: 1e-12 of it at 10, 1e-3 at 30, all from
  37 on. Gradmark keeps them, so no case lies wholly there; at ±1e4 the true numbers round to 0.
"""

import json
import platform
from pathlib import Path

import numpy as np

from tests.golden.cases import ACTIVATIONS, LOSSES, TORCH_ONLY, all_cases
from tests.golden.computation import compute
from tests.golden.framework import Framework
from tests.golden.jax_side import Jax
from tests.golden.torch_side import Torch


def text_of(framework: Framework) -> str:
    """Write a golden file: one case a line, so that a changed case is one changed line."""
    head = {
        "made_by": "tests/golden/make_golden.py",
        "versions": {framework.name: framework.version, "numpy": np.__version__, "python": platform.python_version()},
        "activations": ACTIVATIONS,
        "losses": LOSSES,
    }
    cases = {
        name: compute(framework, problem, jacobians)
        for name, problem, jacobians in all_cases()
        if framework.name == "torch" or name not in TORCH_ONLY
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(key)}: {json.dumps(case, separators=(',', ':'))}" for key, case in cases.items()]
    return "{\n" + ",\n".join([*lines, '"cases": {\n' + ",\n".join(rows) + "\n}"]) + "\n}\n"


def main() -> None:
    """Write both files beside this one."""
    for framework in (Torch(), Jax()):
        text = text_of(framework)
        path = Path(__file__).with_name(f"{framework.name}.json")
        path.write_text(text, encoding="utf-8")
        n_cases = len(json.loads(text)["cases"])
        print(f"{path.name}: {n_cases} cases, {len(text)} bytes, {framework.name} {framework.version}")  # noqa: T201 - a script says what it wrote


if __name__ == "__main__":
    main()
