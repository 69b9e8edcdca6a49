"""One quantity of the table under many choices of changes: what it takes, what changes it, its values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.arrays import Array
from core.steps import Change, RuleContext

LARGE = 2_048
"""Values with more numbers are neither computed nor kept in stacks: copying takes longer than calls do."""

EMPTY = np.empty(0)


@dataclass(slots=True, eq=False)
class Node:
    """One step, source or product of local Jacobians; its values under the variants that reach it.

    Parameters
    ----------
    key : str
        The step's output, or the local Jacobian that the rows are multiplied by; empty for an identity.
    inputs : list of Node
    context : RuleContext
    apply, from_outputs, rounding_bound : callable or None
        As those of a `Rule`, without a context in front for the first two; None for a source.
    is_rounded : bool
        Whether the value is written down, and so rounded, before something is computed from it.
    replaced : int
        The bits of the variants under which the plain form is used: those that reach the layer's activations.
    changes : list
        The bit of each variant that changes it, the change, and what the change takes beside the inputs.
    scaling : int
        The bits of the variants that put a factor on the value and change nothing upstream.
    own, reach : int
        The bits of the variants that change it, and of those that change it or something upstream.
    position : int
        Inputs have lower ones.
    shape, size : tuple of int or None, int
        Those of the exact value, once it is computed.
    largest : int
        The size of the largest value so far: some variants give another shape.
    ranks : dict of int to int
        The number of axes of a value, by the node's own bits among those chosen.
    odd : set of int
        The bits under which the shape is another one.
    bounds : dict of int to ndarray
        How far the value as written down may lie off, by the decimals that everything is rounded to.
    """

    key: str
    inputs: list["Node"]
    context: RuleContext
    apply: Callable[..., Array] | None = None
    from_outputs: Callable[..., Array] | None = None
    rounding_bound: Callable[..., Array] | None = None
    is_rounded: bool = True
    replaced: int = 0
    changes: list[tuple[int, Change, list["Node"]]] = field(default_factory=list)
    scaling: int = 0
    own: int = 0
    reach: int = 0
    position: int = 0
    shape: tuple[int, ...] | None = None
    size: int = 0
    largest: int = 0
    ranks: dict[int, int] = field(default_factory=dict)
    odd: set[int] = field(default_factory=set)
    bounds: dict[int, Array] = field(default_factory=dict)
    _made: dict[int, list[tuple[Change, list["Node"]]]] = field(default_factory=dict)
    # values by the bits that reach them: arrays of their own, and rows of a stack that has room for more
    _alone: dict[int, Array] = field(default_factory=dict)
    _rows: dict[int, int] = field(default_factory=dict)
    _stack: Array = field(default_factory=lambda: EMPTY)

    def made(self, own: int) -> list[tuple[Change, list["Node"]]]:
        """List the changes under variants of its own, and what each takes beside the inputs."""
        found = self._made.get(own)
        if found is None:
            found = [(change, further) for bit, change, further in self.changes if bit & own]
            self._made[own] = found
        return found

    def parts(self, own: int) -> list["Node"]:
        """List what it takes under variants of its own: its inputs, and what each change takes beside them."""
        return self.inputs + [part for _, further in self.made(own) for part in further] if own else self.inputs

    def needs(self, wanted: set[int]) -> Iterator[tuple["Node", set[int]]]:
        """List what has to be computed first, and under which choices."""
        for part in self.inputs:
            if part.apply:
                yield part, {bits & part.reach for bits in wanted}
        for bit, _, further in self.changes:
            for part in further:
                yield part, {bits & part.reach for bits in wanted if bits & bit}

    def lacks(self, chosen: set[int]) -> set[int]:
        """Select the choices under which there is no value yet, and the exact one where it is the first."""
        found = chosen.difference(self._alone).difference(self._rows)
        if found and self.scaling:
            # what is multiplied by the factor
            bare = {bits & ~self.scaling for bits in found if bits & self.scaling}
            found |= bare.difference(self._alone).difference(self._rows)
        return found | {0} if found and self.shape is None else found

    def value(self, chosen: int = 0) -> Array:
        """Return the value under variants; it has been computed."""
        bits = chosen & self.reach
        value = self._alone.get(bits)
        if value is None:
            value = self._alone[bits] = self._stack[self._rows[bits]]
        return value

    def stack(self, chosen: Sequence[int]) -> Array:
        """Return the values under several choices, all of the exact value's shape, along a new first axis."""
        if self.size > LARGE:
            return np.array([self.value(bits) for bits in chosen])
        rows, reach = self._rows, self.reach
        try:
            found = [rows[bits & reach] for bits in chosen]
        except KeyError:
            # some are not in the stack yet, for they were computed alone
            alone = {bits: value for bits, value in self._alone.items() if bits not in rows and bits not in self.odd}
            self._add_rows(alone, np.array(list(alone.values())))
            found = [rows[bits & reach] for bits in chosen]
        return np.asarray(self._stack[found])

    def by_shape(self, chosen: Iterable[int]) -> dict[tuple[int, ...], list[int]]:
        """Sort choices by the shape of the value, in their order."""
        found: dict[tuple[int, ...], list[int]] = {}
        for choice in chosen:
            bits = choice & self.reach
            found.setdefault(self._alone[bits].shape if bits in self.odd else self.shape or (), []).append(choice)
        return found

    def keep(self, bits: int, value: Array) -> None:
        """Keep the value under a choice, the exact one first."""
        if self.shape is None:
            self.shape, self.size = value.shape, value.size
        elif value.shape != self.shape:
            self.odd.add(bits)
        self.largest = max(self.largest, value.size)
        self._alone[bits] = value

    def keep_stack(self, chosen: Sequence[int], stack: Array) -> None:
        """Keep the values under several choices."""
        if stack.shape[1:] == self.shape and self.size <= LARGE:
            self._add_rows(chosen, stack)
        else:
            for bits, value in zip(chosen, stack, strict=True):
                self.keep(bits, value)

    def forget(self) -> None:
        """Forget all values, but those that are given."""
        if self.apply is not None:
            self._alone.clear()
            self._rows.clear()
            # not cleared, for others may look at it
            self._stack = EMPTY

    def _add_rows(self, chosen: Iterable[int], stack: Array) -> None:
        start, end = len(self._rows), len(self._rows) + len(stack)
        if end > len(self._stack):
            # twice what is needed, so that on the whole no row is copied more than once or twice
            larger = np.empty((2 * end, *stack.shape[1:]))
            larger[:start] = self._stack[:start].reshape(start, *stack.shape[1:])
            self._stack = larger
        self._stack[start:end] = stack
        self._rows.update(zip(chosen, range(start, end), strict=True))
