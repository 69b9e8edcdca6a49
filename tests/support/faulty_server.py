"""The server with bugs planted, in the process that serves and in those beside it: what fails says what it worked on.

``python -m tests.support.faulty_server serve``
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from app.command_line import main
from core import propagation
from core.errors import DomainError
from core.problem import Problem

LARGE = 100


def refuse(values: str) -> NoReturn:
    raise DomainError(values)


def look_up(values: str) -> NoReturn:
    try:
        refuse(values)
    except DomainError:
        error = KeyError(values)
        error.add_note(values)
        raise error  # noqa: B904 - its context is part of what is logged


def fail(problem: Problem) -> NoReturn:
    """Fail with the request's values in every message on the way."""
    values = str(problem.inputs.tolist())
    warnings.warn(values, stacklevel=1)
    try:
        look_up(values)
    except KeyError as error:
        raise ValueError(values) from error


def plant(sound: Callable[..., Any]) -> Callable[..., Any]:
    """Fail where an input is large. The service runs the examples of its documentation, which have none, at start."""

    def compute(problem: Problem, **known: object) -> Any:
        return fail(problem) if problem.inputs.max() > LARGE else sound(problem, **known)

    return compute


# a process beside the one that serves imports this module as well
for name in ("compute_forward", "compute_gradients"):
    setattr(propagation, name, plant(getattr(propagation, name)))

if __name__ == "__main__":
    sys.exit(main())
