"""The table of steps under variants: what callers ask for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from core.arrays import Array
from core.problem import Problem
from core.scenarios.graph import Graph, Variants
from core.scenarios.node import Node
from core.scenarios.runs import compute
from core.scenarios.selection import NO_VARIANTS, Selection
from core.steps import Rounding

MAX_KEPT_NUMBERS = 2_000_000
"""How many numbers are kept; past it all are forgotten and computed anew when they are needed."""


def _any_shape(shape: tuple[int, ...]) -> bool:
    return True


class Scenarios:
    """The table of steps under changes.

    Parameters
    ----------
    problem : Problem
    variants : sequence of sequences of Change
        What can be selected, numbered from 0. Two selected variants must not both replace one step.
    given : mapping of str to ndarray, optional
        Values and local Jacobians that are taken as they are.
    exact : Scenarios, optional
        Those of the same problem with nothing given; what they have computed exactly is taken from them.

    Attributes
    ----------
    held : int
        How many numbers are kept.
    """

    def __init__(
        self,
        problem: Problem,
        variants: Variants = (),
        *,
        given: Mapping[str, Array] | None = None,
        exact: "Scenarios | None" = None,
    ) -> None:
        self.problem = problem
        self.graph = Graph(problem, variants, given or {})
        self.held = 0
        if exact and not given:
            self.graph.share(exact.graph)

    def value(self, key: str, selection: Selection = NO_VARIANTS) -> Array:
        """Compute a quantity under selected variants.

        Parameters
        ----------
        key : str
            A numbered id: ``"A2"``, ``"dL_dW1"``, ``"dA2_dZ2"``.
        selection : Selection

        Returns
        -------
        ndarray
            Of the quantity's shape, unless a variant gives it another; possibly not finite.
        """
        return self.values(key, (selection,))[0]

    def values(self, key: str, selections: Sequence[Selection]) -> list[Array]:
        """Compute a quantity under many selections of variants.

        Parameters
        ----------
        key : str
        selections : sequence of Selection

        Returns
        -------
        list of ndarray
        """
        node = self.graph.node(key)
        return [node.value(selection) for block in self._fill_by_blocks(node, selections) for selection in block]

    def stacks(
        self, key: str, selections: Sequence[Selection], *, fits: Callable[[tuple[int, ...]], bool] = _any_shape
    ) -> list[tuple[list[Selection], Array]]:
        """Compute a quantity under many selections of variants, and stack what has one shape.

        Parameters
        ----------
        key : str
        selections : sequence of Selection
        fits : callable
            ``fits(shape)``: whether values of that shape are wanted. Selections that give another are left out.

        Returns
        -------
        list of tuple of list of Selection and ndarray
            Some of the selections, in their order, and their values along a new first axis.
        """
        node = self.graph.node(key)
        found: dict[tuple[int, ...], tuple[list[Selection], list[Array]]] = {}
        for block in self._fill_by_blocks(node, self._of_fitting_shape(node, selections, fits)):
            for shape, members in node.by_shape(block).items():
                if not fits(shape):
                    # one by one they fit, but together one gives what the other cannot take
                    continue
                kept, stacks = found.setdefault(shape, ([], []))
                kept += members
                is_usual = shape == node.shape
                stacks.append(node.stack(members) if is_usual else np.array([node.value(one) for one in members]))
        return [(kept, np.concatenate(stacks)) for kept, stacks in found.values()]

    def reach(self, key: str) -> Selection:
        """Return the variants that make a difference to a quantity.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        Selection
        """
        return Selection(self.graph.node(key).reach)

    def upstream(self, key: str) -> frozenset[str]:
        """Name everything that a quantity is computed from: steps, sources and local Jacobians.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        frozenset of str
            Without what is upstream of a given value.
        """
        return self.graph.upstream(key)

    def rounding_bound(self, key: str, decimals: int) -> Array:
        """Bound how far rounding every number on the way moves a quantity.

        Parameters
        ----------
        key : str
            A numbered id.
        decimals : int
            What the numbers on the way are rounded to.

        Returns
        -------
        ndarray
            Of the quantity's shape; without the rounding of the quantity itself.
        """
        node, rounding = self.graph.node(key), Rounding(decimals)
        self._fill(node, (0,))
        with np.errstate(all="ignore"):
            for part in _on_the_way(node, decimals):
                part.bounds[decimals] = _bound_written(part, rounding)
            return _bound_computed(node, rounding)

    def largest_on_the_way(self, key: str) -> float:
        """Return the size of the largest number that a quantity is computed from.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        float
            0 where it is computed from nothing.
        """
        node = self.graph.node(key)
        self._fill(node, (0,))
        return max((float(np.abs(part.value()).max()) for part in _on_the_way(node, None)), default=0.0)

    def _of_fitting_shape(
        self, node: Node, selections: Sequence[Selection], fits: Callable[[tuple[int, ...]], bool]
    ) -> Sequence[Selection]:
        """Leave out what has another shape, for what gives a value its shape alone tells the shape of all others."""
        reshaping = {selection & node.reshaped for selection in selections}
        self._fill(node, reshaping)
        unfit = {part for part in reshaping if not fits(node.value(part).shape)}
        return (
            [selection for selection in selections if selection & node.reshaped not in unfit] if unfit else selections
        )

    def _fill_by_blocks(self, node: Node, selections: Sequence[Selection]) -> Iterator[Sequence[Selection]]:
        """Compute a node under selections, in blocks of which none needs more than half of what may be held."""
        size = 1
        if len(selections) > 1:
            self._fill(node, (0,))
            needed = sum(other.largest for other in self.graph.ordered[: node.position + 1] if other.apply)
            size = max(1, MAX_KEPT_NUMBERS // (2 * max(1, needed)))
        for start in range(0, len(selections), size):
            block = selections[start : start + size]
            self._fill(node, (selection & node.reach for selection in block))
            yield block
            if self.held > MAX_KEPT_NUMBERS:
                self._forget()

    def _fill(self, target: Node, selections: Iterable[int]) -> None:
        """Compute what is missing of a node under selections, and what is missing on the way to it."""
        missing: dict[Node, set[int]] = {target: set(selections)}
        runs: list[tuple[Node, set[int]]] = []
        # what takes a value comes after it, so from the last to the first each is asked for in full
        for node in reversed(self.graph.ordered[: target.position + 1]):
            wanted = node.lacks(missing.pop(node)) if node in missing else None
            if wanted:
                runs.append((node, wanted))
                for part, needed in node.needs(wanted):
                    missing[part] = missing[part] | needed if part in missing else needed
        with np.errstate(all="ignore"):
            for node, wanted in reversed(runs):
                self.held += compute(node, wanted)

    def _forget(self) -> None:
        for node in self.graph.ordered:
            node.forget()
        self.held = 0


def _on_the_way(node: Node, decimals: int | None) -> list[Node]:
    """List what a node is computed from, inputs first; without what has a bound for these decimals."""
    found: set[Node] = set()
    # not by recursion: a deep network has more steps than Python's stack has room for
    waiting = [node]
    while waiting:
        parts = [part for part in waiting.pop().inputs if part not in found and decimals not in part.bounds]
        found.update(parts)
        waiting += parts
    return sorted(found, key=lambda part: part.position)


def _bound_written(node: Node, rounding: Rounding) -> Array:
    computed = _bound_computed(node, rounding)
    if node.rounding_bound is None or not node.is_rounded:
        return computed
    return computed + rounding.of(node.value(), computed)


def _bound_computed(node: Node, rounding: Rounding) -> Array:
    if node.rounding_bound is None:
        return np.zeros(node.value().shape)
    errors = [part.bounds[rounding.decimals] for part in node.inputs]
    # all are forgotten at once, so with a value there is what it is computed from
    values = [part.value() for part in node.inputs]
    bound = node.rounding_bound(node.context, rounding, errors, *values)
    shape = node.value().shape
    return bound if bound.shape == shape else np.broadcast_to(bound, shape)
