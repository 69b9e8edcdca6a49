"""One quantity of the table under many selections of variants: what it takes, what changes it, its values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.arrays import Array
from core.scenarios.selection import Selection
from core.steps import Change, RuleContext

MAX_STACKED_SIZE = 2_048
"""Values with more numbers are neither computed nor kept in stacks: copying takes longer than calls do."""

NO_ROWS = np.empty(0)


@dataclass(slots=True, eq=False)
class Node:
    """One step, source or product of local Jacobians; its values under the variants that reach it.

    Values are kept by the part of a `Selection` that reaches the node, which is an integer like it.

    Parameters
    ----------
    key : str
        The step's output, or the local Jacobian that the rows are multiplied by; empty for an identity.
    inputs : list of Node
    context : RuleContext
    apply, from_outputs, rounding_bound : callable or None
        As those of a `Rule`, without a context in front for the first two; None for a source.
    is_source : bool
        Whether it is the inputs, or a parameter.
    is_rounded : bool
        Whether the value is written down, and so rounded, before something is computed from it.
    replaced : int
        The variants under which `from_outputs` is used: those that reach the layer's activations.
    changes : list
        The bit of each variant that changes it, the change, and what the change takes beside the inputs.
    scaling : int
        The variants that put a factor on the value and change nothing upstream.
    own, reach : int
        The variants that change it, and those that change it or something upstream.
    reshaped : int
        The variants under which the value, or something upstream, may have another shape. A change may take what
        another gives another shape, so not each of them does it alone.
    position : int
        Inputs have lower ones.
    shape, size : tuple of int or None, int
        Those of the exact value, once it is computed.
    largest : int
        The size of the largest value so far: some variants give another shape.
    bounds : dict of int to ndarray
        How far the value as written down may lie off, by the decimals that everything is rounded to.
    """

    key: str
    inputs: list["Node"]
    context: RuleContext
    apply: Callable[..., Array] | None = None
    from_outputs: Callable[..., Array] | None = None
    rounding_bound: Callable[..., Array] | None = None
    is_source: bool = False
    is_rounded: bool = True
    replaced: int = 0
    changes: list[tuple[int, Change, list["Node"]]] = field(default_factory=list)
    scaling: int = 0
    own: int = 0
    reach: int = 0
    reshaped: int = 0
    position: int = 0
    shape: tuple[int, ...] | None = None
    size: int = 0
    largest: int = 0
    bounds: dict[int, Array] = field(default_factory=dict)
    _made: dict[int, list[tuple[Change, list["Node"]]]] = field(default_factory=dict)
    # values by the variants that reach them: arrays of their own, and rows of a stack that has room for more
    _alone: dict[int, Array] = field(default_factory=dict)
    _rows: dict[int, int] = field(default_factory=dict)
    _stack: Array = field(default_factory=lambda: NO_ROWS)

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
        """List what has to be computed first, and under which selections."""
        for part in self.inputs:
            if part.apply:
                yield part, {selection & part.reach for selection in wanted}
        for bit, _, further in self.changes:
            for part in further:
                yield part, {selection & part.reach for selection in wanted if selection & bit}

    def lacks(self, selections: set[int]) -> set[int]:
        """Pick the selections under which there is no value yet, and the exact one where it is the first."""
        found = selections.difference(self._alone).difference(self._rows)
        if found and self.scaling:
            # what is multiplied by the factor
            bare = {selection & ~self.scaling for selection in found if selection & self.scaling}
            found |= bare.difference(self._alone).difference(self._rows)
        return found | {0} if found and self.shape is None else found

    def value(self, selection: int = 0) -> Array:
        """Return the value under a selection; it has been computed."""
        selection &= self.reach
        value = self._alone.get(selection)
        if value is None:
            value = self._alone[selection] = self._stack[self._rows[selection]]
        return value

    def stack(self, selections: Sequence[int]) -> Array:
        """Return the values under several selections, all of the exact value's shape, along a new first axis."""
        if self.size > MAX_STACKED_SIZE:
            return np.array([self.value(selection) for selection in selections])
        rows, reach = self._rows, self.reach
        try:
            found = [rows[selection & reach] for selection in selections]
        except KeyError:
            # some are not in the stack yet, for they were computed alone
            alone = {key: value for key, value in self._alone.items() if key not in rows and value.shape == self.shape}
            self._add_rows(alone, np.array(list(alone.values())))
            found = [rows[selection & reach] for selection in selections]
        return np.asarray(self._stack[found])

    def by_shape(self, selections: Iterable[Selection]) -> dict[tuple[int, ...], list[Selection]]:
        """Sort selections by the shape of the value, in their order."""
        found: dict[tuple[int, ...], list[Selection]] = {}
        for selection in selections:
            shape = self.value(selection).shape if selection & self.reshaped else self.shape
            found.setdefault(shape or (), []).append(selection)
        return found

    def keep(self, selection: int, value: Array) -> None:
        """Keep the value under a selection, the exact one first."""
        if self.shape is None:
            self.shape, self.size = value.shape, value.size
        elif not selection & self.reshaped:
            self._require_shape(value.shape)
        self.largest = max(self.largest, value.size)
        self._alone[selection] = value

    def keep_stack(self, selections: Sequence[int], stack: Array) -> None:
        """Keep the values under several selections, all of the exact value's shape."""
        self._require_shape(stack.shape[1:])
        self._add_rows(selections, stack)

    def forget(self) -> None:
        """Forget all values, but those that are given."""
        if self.apply is not None:
            self._alone.clear()
            self._rows.clear()
            # not cleared, for others may look at it
            self._stack = NO_ROWS

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        if shape != self.shape:
            raise ValueError(
                f"a change gives {self.key} the shape {shape}, the exact value has {self.shape}; such a change "
                "must say that it reshapes"
            )

    def _add_rows(self, selections: Iterable[int], stack: Array) -> None:
        start, end = len(self._rows), len(self._rows) + len(stack)
        if end > len(self._stack):
            # twice what is needed, so that on the whole no row is copied more than once or twice
            larger = np.empty((2 * end, *stack.shape[1:]))
            larger[:start] = self._stack[:start].reshape(start, *stack.shape[1:])
            self._stack = larger
        self._stack[start:end] = stack
        self._rows.update(zip(selections, range(start, end), strict=True))
