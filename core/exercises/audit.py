"""What a problem's numbers hide: mistakes that look right, mistakes that look alike, and what to change.

Advice is found by trying: one thing about the problem is changed at a time, its inputs, its samples, its
labels and so on, and what can be told then speaks for the change. What no problem of this task could tell
is equal by definition, and is marked so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.budget import Budget, forward_operations
from core.conventions import Conventions
from core.errors import DomainError
from core.exercises.changes import ENOUGH_SAMPLES, MOST_DECIMALS, PROBLEM_CHANGES, roomy_form
from core.exercises.definition import MOST_REDRAWS, Equalities, find_equalities
from core.exercises.distinguishability import Distinguishability, mistake_of
from core.grading import read_asks
from core.jacobians import require_room
from core.mistakes import MISTAKES
from core.nodes import n_components, shape_of
from core.problem import Problem
from core.quantities import to_quantity

N_WRONG_ANSWERS = sum(len(mistake.variants) + len(mistake.transforms) for mistake in MISTAKES.values())
"""How many answers to a quantity are compared with the truth and with each other, at most."""

COMPARISON_COST = 30_000
"""What making and comparing one of them takes, in multiply-adds: about three microseconds of calls."""

N_LOOKS = 1 + len(PROBLEM_CHANGES) + MOST_REDRAWS
"""How many problems they are compared in, at most: this one, changed ones, and others of its form."""


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """A mistake that cannot be told from the right answer.

    Parameters
    ----------
    mistake : str
        Its id.
    always : bool
        Whether it is right by definition: whatever the numbers, the samples and the widths are, it gives the
        right answer to these quantities.
    advice : tuple of str
        The changes, each by its code, that would show it.
    """

    mistake: str
    always: bool
    advice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Confused:
    """Mistakes that cannot be told from each other.

    Parameters
    ----------
    mistakes : tuple of str
        Two ids or more.
    always : bool
        Whether they are equal by definition: whatever the numbers, the samples and the widths are, they give
        the same answers to these quantities.
    advice : tuple of str
        The changes, each by its code, that would tell some of them apart.
    """

    mistakes: tuple[str, ...]
    always: bool
    advice: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A change of the problem that shows what is hidden.

    Parameters
    ----------
    message : str
        What is special about the problem, and what to change.
    shows : tuple of str
        The hidden mistakes that it would show.
    separates : tuple of tuples of str
        The pairs of mistakes that it would tell apart.
    """

    code: str
    message: str
    shows: tuple[str, ...]
    separates: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a problem's numbers hide.

    Parameters
    ----------
    modelled : tuple of str
        The mistakes that can be made in these quantities.
    confused : tuple of Confused
        A mistake may stand in a group that is equal by definition and in one that these numbers confuse.
    conventions : Conventions
        The problem's.
    """

    modelled: tuple[str, ...]
    hidden: tuple[Hidden, ...]
    confused: tuple[Confused, ...]
    advice: tuple[Advice, ...]
    conventions: Conventions


_Pair = tuple[str, str]
_Told = TypeVar("_Told")

_PLACE = {name: place for place, name in enumerate(MISTAKES)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sight:
    """What can be told in one problem."""

    visible: frozenset[str]
    confused: frozenset[_Pair]
    modelled: tuple[str, ...]


@np.errstate(all="ignore")
def audit_problem(problem: Problem, ids: Sequence[str], *, decimals: int = 4, budget: Budget | None = None) -> Audit:
    """Find what a problem's numbers hide.

    Parameters
    ----------
    ids : sequence of str
        Ids of the quantities asked.
    decimals : int
        The decimals that answers are given with.
    budget : Budget, optional

    Raises
    ------
    UnknownNameError, DomainError, ShapeError
        If an id names nothing of the problem, or the decimals are out of range.
    TooLargeError
        If the problem is too large to try every mistake on.
    """
    if not 1 <= decimals <= MOST_DECIMALS:
        raise DomainError(f"found {decimals} decimals; needed 1 to {MOST_DECIMALS}", path=("decimals",))
    keys = list(read_asks(tuple(ids), problem).values())
    _require_affordable(problem, keys, budget or Budget())
    here = _look(problem, decimals, keys=keys)
    changed = {name: change.change(problem, decimals) for name, change in PROBLEM_CHANGES.items()}
    sights = {name: _look(*other, keys=keys) for name, other in changed.items() if other is not None}
    shown = _beyond_single_changes({name: sight.visible - here.visible for name, sight in sights.items()})
    separated = _beyond_single_changes({name: _separate(here, sight) for name, sight in sights.items()})
    hidden = {*here.modelled, *frozenset().union(*shown.values())} - here.visible
    always = find_equalities(roomy_form(problem), keys, decimals)
    return Audit(
        modelled=tuple(name for name in MISTAKES if name in {*here.modelled, *hidden}),
        hidden=tuple(_hide(name, shown, always) for name in MISTAKES if name in hidden),
        confused=_group(here.confused, separated, _same_by_definition(always)),
        advice=tuple(
            Advice(
                code=code,
                message=PROBLEM_CHANGES[code].describe(problem, decimals),
                shows=tuple(name for name in MISTAKES if name in shown[code]),
                separates=tuple(sorted(separated[code])),
            )
            for code in _cover(shown, separated)
        ),
        conventions=problem.conventions,
    )


def _look(problem: Problem, decimals: int, *, keys: Sequence[str]) -> _Sight:
    told = Distinguishability(problem, keys, decimals)
    names = [wrong.name for wrong in told.wrong_answers]
    is_shown = np.asarray(~(told.hidden | told.doubtful).all(axis=1))
    both_shown = np.logical_and.outer(is_shown, is_shown)
    pairs = {
        _in_order(names[i], names[j])
        for i, j in np.argwhere(np.triu(told.confused & both_shown, k=1))
        if names[i] != names[j]
    }
    return _Sight(visible=told.visible, confused=frozenset(pairs), modelled=tuple(dict.fromkeys(names)))


def _in_order(one: str, other: str) -> _Pair:
    return (one, other) if _PLACE[one] < _PLACE[other] else (other, one)


def _separate(here: _Sight, sight: _Sight) -> frozenset[_Pair]:
    return frozenset(pair for pair in here.confused - sight.confused if sight.visible.issuperset(pair))


def _beyond_single_changes(told: dict[str, frozenset[_Told]]) -> dict[str, frozenset[_Told]]:
    """Leave to the change of everything only what no other change tells."""
    single = frozenset[_Told]().union(*(found for name, found in told.items() if name != "everything"))
    return told | {"everything": told["everything"] - single}


def _hide(name: str, shown: dict[str, frozenset[str]], always: Equalities) -> Hidden:
    codes = tuple(code for code, names in shown.items() if name in names)
    return Hidden(
        mistake=name, always=not codes and name not in {mistake_of(label) for label in always.shown}, advice=codes
    )


def _same_by_definition(always: Equalities) -> frozenset[_Pair]:
    shown = [pair for pair in always.same if always.shown.issuperset(pair)]
    names = ((mistake_of(one), mistake_of(other)) for one, other in shown)
    return frozenset(_in_order(*pair) for pair in names if pair[0] != pair[1])


def _group(
    pairs: frozenset[_Pair], separated: dict[str, frozenset[_Pair]], always: frozenset[_Pair]
) -> tuple[Confused, ...]:
    separable = frozenset[_Pair]().union(*separated.values())
    by_definition = (pairs & always) - separable
    return tuple(
        Confused(
            mistakes=group,
            always=is_always,
            advice=tuple(code for code, told in separated.items() if any(set(pair) <= set(group) for pair in told)),
        )
        for is_always, found in ((True, by_definition), (False, pairs - by_definition))
        for group in _join(found)
    )


def _join(pairs: frozenset[_Pair]) -> tuple[tuple[str, ...], ...]:
    groups: list[set[str]] = []
    for pair in pairs:
        touching = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touching] + [set(pair).union(*touching)]
    return tuple(sorted(tuple(name for name in MISTAKES if name in group) for group in groups))


def _cover(shown: dict[str, frozenset[str]], separated: dict[str, frozenset[tuple[str, str]]]) -> list[str]:
    """Choose changes, the most telling first, until no other one would tell more."""
    chosen: list[str] = []
    told: set[object] = set()
    while True:
        gains = {code: len((shown[code] | separated[code]) - told) for code in shown if code not in chosen}
        best = max(gains, key=lambda code: gains[code], default=None)
        if best is None or not gains[best]:
            return chosen
        chosen.append(best)
        told |= shown[best] | separated[best]


def _require_affordable(problem: Problem, keys: Sequence[str], budget: Budget) -> None:
    quantities = [to_quantity(key) for key in keys]
    require_room(problem, quantities, budget, path_of=lambda index: ("asks", index))
    numbers = sum(
        problem.n_samples * n_components(q.of, problem) * n_components(str(q.by), problem)
        if q.is_jacobian
        else math.prod(shape_of(q.node, problem))
        for q in quantities
    )
    budget.require_numbers(numbers * N_WRONG_ANSWERS, "the answers of all mistakes", path=("asks",))
    count = max(problem.n_samples, ENOUGH_SAMPLES + len(problem.network.widths))
    passes = forward_operations(problem.network, count) * len(MISTAKES) * N_LOOKS
    budget.require_operations(passes, "every mistake, in the problem and in changed ones", path=("problem",))
    comparisons = COMPARISON_COST * len(keys) * N_WRONG_ANSWERS * N_LOOKS
    budget.require_operations(passes + comparisons, "the quantities asked, under every mistake", path=("asks",))
