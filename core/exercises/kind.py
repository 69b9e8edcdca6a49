"""What an exercise is, and what a kind of them is."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from core.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """One kind of exercise.

    Parameters
    ----------
    title : str
        What it is about, in a line.
    task : str
        What there is to do, for the prompt.
    asks : tuple of str
        Quantity ids.
    draw : callable
        ``draw(source)`` draws a problem; whether its numbers are good is seen afterwards.
    decimals : int
        The decimals of the answers.
    """

    name: str
    title: str
    task: str
    asks: tuple[str, ...]
    draw: Callable[[random.Random], Problem]
    decimals: int = 4


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
