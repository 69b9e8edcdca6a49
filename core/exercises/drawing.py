"""Drawing exercises: the same kind, seed and version give the same numbers, always and everywhere.

The numbers come from `random.Random.random`, whose sequence for a given seed the standard library promises
to keep, and are tenths, so they are exact in JSON. Draws are made until one is good: its truth agrees with
complex steps, and no mistake of the catalogue can hide in it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.errors import DomainError
from core.exercises.acceptance import find_defects
from core.exercises.kinds import KINDS, Kind
from core.exercises.prompts import write_prompt
from core.grading import read_asks
from core.problem import Problem
from core.quantities import to_quantity
from core.scenarios import Scenarios
from core.verification import differentiate_numerically, differentiate_outputs

LATEST_VERSION = 2
"""The version of all kinds' draws. Other mistakes or rounding bounds certify other draws: count it up then."""

MOST_DRAWS = 1000
"""So many draws without a good one are a fault of the kind."""

LARGEST_SEED = 2**31 - 1

VERIFIED_WITHIN = 1e-10
"""How far the truth and complex steps may differ, as a part of the largest entry."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exercise:
    """One exercise.

    Parameters
    ----------
    prompt : str
        What a student reads.
    asks : tuple of str
        Quantity ids.
    """

    kind: str
    seed: int
    version: int
    prompt: str
    problem: Problem
    asks: tuple[str, ...]
    decimals: int


def draw_exercise(kind: str, seed: int, version: int | None = None) -> Exercise:
    """Draw an exercise.

    Parameters
    ----------
    kind : str
        A name in `KINDS`.
    seed : int
        From 0.
    version : int, optional
        By default the one that this release draws.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    DomainError
        If the seed is out of range, or this release cannot draw the version.
    """
    KINDS.require(kind, path=("kind",))
    if not 0 <= seed <= LARGEST_SEED:
        raise DomainError(f"the seed is {seed}; needed 0 to {LARGEST_SEED}", path=("seed",))
    version = LATEST_VERSION if version is None else version
    if version != LATEST_VERSION:
        raise DomainError(
            f"the version is {version}; this release draws version {LATEST_VERSION} only, "
            "because others have other numbers",
            path=("version",),
        )
    return _draw(kind, seed, version)


@lru_cache(maxsize=4096)
def _draw(name: str, seed: int, version: int) -> Exercise:
    kind = KINDS[name]
    for attempt in range(MOST_DRAWS):
        source = random.Random(f"{name} {seed} {version} {attempt}")  # noqa: S311 - numbers to compute with, no secrets
        problem = kind.draw(source)
        keys = list(read_asks(kind.asks, problem).values())
        if is_acceptable(problem, keys, kind):
            return Exercise(
                kind=name,
                seed=seed,
                version=version,
                prompt=write_prompt(kind, problem),
                problem=problem,
                asks=kind.asks,
                decimals=kind.decimals,
            )
    raise RuntimeError(f"no good draw of {name} in {MOST_DRAWS}")


def is_acceptable(problem: Problem, keys: Sequence[str], kind: Kind) -> bool:
    """Tell whether an exercise can be made of a problem.

    Parameters
    ----------
    keys : sequence of str
        Numbered ids of what is asked.
    """
    return not find_defects(problem, keys, kind.decimals) and all(
        _agrees(problem, key) for key in keys if to_quantity(key).by
    )


def _agrees(problem: Problem, key: str) -> bool:
    quantity, truth = to_quantity(key), Scenarios(problem).value(key)
    steps = (
        differentiate_numerically(problem, key)
        if quantity.is_gradient
        else differentiate_outputs(problem, quantity.of, str(quantity.by))
    )
    return bool(np.abs(truth - steps).max() <= VERIFIED_WITHIN * np.abs(truth).max())
