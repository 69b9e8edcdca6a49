"""Interleaved paired timing: every contestant once a round, ratios taken within the round, medians over the rounds.

No harness that we found pairs its samples: pyperf, pytest-benchmark, perfplot, richbench and torch's Timer time one
contestant to its end before the next, and asv interleaves whole processes. On a busy machine that measures what else
runs on it, while the ratio of two samples taken milliseconds apart carries over.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

SAMPLE_SECONDS = 0.004
"""A sample repeats its call until it lasts about this long, so that the clock and one interrupt do not matter."""

ROUNDS = 41
FEWEST_ROUNDS = 5
SUBJECT_SECONDS = 6.0
"""A measurement ends after this time, once it has had its fewest rounds."""

MOST_ELSEWHERE = 0.1
"""The most of a contestant's CPU time that threads other than the caller's may take; a pool of two takes half."""

Call = Callable[[], object]


@dataclass(frozen=True)
class Goal:
    """What a figure should reach."""

    bound: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Tell whether a figure reaches it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_most(**bounds: float) -> dict[str, Goal]:
    """Make goals for ratios, by peer."""
    return {peer: Goal(bound) for peer, bound in bounds.items()}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: ours beside one peer."""

    what: str
    peer: str
    ours: float
    """Median seconds."""
    theirs: float
    ratio: float
    """The median of paired ratios, ours over theirs unless `peer` says otherwise."""
    spread: tuple[float, float]
    """The quartiles of those ratios."""
    goal: Goal | None = None
    why: str = ""
    """Why the goal is missed, and what was tried."""

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached; so it is where there is none."""
        return self.goal is None or self.goal.is_met(self.ratio)


def set_beside(
    what: str,
    peer: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    goal: Goal | None = None,
    *,
    why: str = "",
    inverse: bool = False,
) -> Row:
    """Make a row of samples, paired; `inverse` gives theirs over ours."""
    pairs = zip(theirs, ours, strict=True) if inverse else zip(ours, theirs, strict=True)
    low, ratio, high = (float(q) for q in np.quantile([one / other for one, other in pairs], (0.25, 0.5, 0.75)))
    return Row(
        what=what,
        peer=peer,
        ours=median(ours),
        theirs=median(theirs),
        ratio=ratio,
        spread=(low, high),
        goal=goal,
        why=why,
    )


@dataclass(frozen=True)
class Timings:
    """Seconds a call, one sample a round, of each contestant."""

    samples: Mapping[str, list[float]]

    def row(self, what: str, peer: str, goal: Goal | None = None, *, ours: str = "ours", why: str = "") -> Row:
        """Set ours beside a peer."""
        return set_beside(what, peer, self.samples[ours], self.samples[peer], goal, why=why)

    def above(self, floor: str) -> "Timings":
        """Return what each contestant takes more than one of them in the same round."""
        least = self.samples[floor]
        return Timings(
            {name: [one - other for one, other in zip(own, least, strict=True)] for name, own in self.samples.items()}
        )


def measure(contestants: Mapping[str, Call], *, seconds: float = SUBJECT_SECONDS) -> Timings:
    """Time contestants side by side.

    Each is warmed up, then has one sample a round, in an order drawn anew, so that nobody always finds the caches as
    the same neighbour left them. One that works in other threads as well is an error.
    """
    repeats = {name: _find_repeats(call) for name, call in contestants.items()}
    timings = Timings({name: [] for name in contestants})
    names, order = list(contestants), random.Random(0)
    own, cpu = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    end = time.perf_counter() + seconds
    for round_number in range(ROUNDS):
        if round_number >= FEWEST_ROUNDS and time.perf_counter() > end:
            break
        for name in order.sample(names, len(names)):
            own_start, cpu_start = time.thread_time(), time.process_time()
            elapsed = _time(contestants[name], repeats[name])
            own[name] += time.thread_time() - own_start
            cpu[name] += time.process_time() - cpu_start
            timings.samples[name].append(elapsed / repeats[name])
    elsewhere = {name: 1.0 - own[name] / cpu[name] for name in names}
    busiest = max(names, key=elsewhere.__getitem__)
    if elsewhere[busiest] > MOST_ELSEWHERE:
        raise RuntimeError(f"{busiest} spent {elsewhere[busiest]:.0%} of its time in other threads; each has one")
    return timings


def _time(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def _find_repeats(call: Call) -> int:
    # the first calls compile, allocate and fill caches
    call()
    repeats = 1
    while (elapsed := _time(call, repeats)) < SAMPLE_SECONDS / 4:
        repeats *= 4
    return max(1, round(SAMPLE_SECONDS * repeats / elapsed))


def require_equal(results: Mapping[str, Iterable[npt.ArrayLike]], *, relative: float) -> None:
    """Check that contestants compute the same numbers, within a part of each array's largest entry."""
    (first, expected), *others = ((name, [np.asarray(array) for array in arrays]) for name, arrays in results.items())
    for name, found in others:
        for one, other in zip(expected, found, strict=True):
            scale = np.abs(one).max()
            if one.shape != other.shape or not np.abs(one - other).max() <= relative * scale:
                raise AssertionError(f"{name} and {first} differ: shapes {one.shape}, {other.shape}, scale {scale:.3g}")
