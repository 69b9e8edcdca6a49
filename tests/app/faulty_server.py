"""The server with bugs planted, in the process that serves and in those beside it: what fails says what it worked on.

``python -m tests.app.faulty_server serve``
"""

import sys
import warnings
from typing import NoReturn

from app.command_line import main
from app.operations import compute
from core.errors import DomainError
from core.problem import Problem


def refuse(values: str) -> NoReturn:
    raise DomainError(values)


def look_up(values: str) -> NoReturn:
    try:
        refuse(values)
    except DomainError:
        error = KeyError(values)
        error.add_note(values)
        raise error  # noqa: B904 - its context is part of what is logged


def fail(problem: Problem, **_: object) -> NoReturn:
    """Fail with the request's values in every message on the way."""
    values = str(problem.inputs.tolist())
    warnings.warn(values, stacklevel=1)
    try:
        look_up(values)
    except KeyError as error:
        raise ValueError(values) from error


# a process beside the one that serves imports this module as well
for name in ("compute_forward", "compute_gradients"):
    setattr(compute, name, fail)

if __name__ == "__main__":
    sys.exit(main())
