"""Running one rule under many choices of changes at once: what it takes is stacked along a leading axis."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial, reduce
from operator import mul, or_
from typing import Any, cast

import numpy as np

from core.arrays import Array
from core.nodes import LARGE, Node
from core.steps import RuleContext

MOST_STACKED = 32_768
"""How many numbers a stack has, at most; beyond the caches stacking takes more than it saves."""

MISFITS = (ValueError, IndexError)
"""What NumPy raises where shapes do not fit."""

Run = Callable[..., Array]


def compute(node: Node, wanted: set[int]) -> int:
    """Compute a node's values under choices; what it takes has been computed.

    Parameters
    ----------
    node : Node
        Not a source.
    wanted : set of int
        The bits under which; without 0 only where the exact value is there.

    Returns
    -------
    int
        How many numbers they are.
    """
    exact, plain = cast("Run", node.apply), node.from_outputs
    count = 0
    if 0 in wanted:
        # the exact value first: its shape is what others are compared with
        count = _run_one(node, exact, 0)
        if len(wanted) == 1:
            return count
        wanted = wanted - {0}
    scaled = {bits for bits in wanted if bits & node.scaling} if node.scaling else set[int]()
    wanted = wanted - scaled
    if plain is not None:
        replaced = {bits for bits in wanted if bits & node.replaced}
        count += sum(_run_many(node, plain, chosen) for chosen in _group(replaced, node.own))
        wanted = wanted - replaced
    count += sum(_run_many(node, exact, chosen) for chosen in _group(wanted, node.own))
    return count + sum(_scale(node, chosen) for chosen in _group(scaled, node.scaling))


def _group(several: set[int], own: int) -> Iterable[list[int]]:
    groups = defaultdict[int, list[int]](list)
    for bits in several:
        groups[bits & own].append(bits)
    return groups.values()


def _scale(node: Node, chosen: list[int]) -> int:
    """Put factors on values that have been computed without them."""
    bare = [bits & ~node.scaling for bits in chosen]
    factors = [change.scales for change, _ in node.made(chosen[0] & node.scaling)]
    if node.size > LARGE or not node.odd.isdisjoint(bare):
        values = [np.asarray(reduce(mul, factors, node.value(bits))) for bits in bare]
        for bits, value in zip(chosen, values, strict=True):
            node.keep(bits, value)
        return sum(value.size for value in values)
    stack: Array = reduce(mul, factors, node.stack(bare))
    node.keep_stack(chosen, stack)
    return stack.size


def _run_many(node: Node, run: Run, chosen: list[int]) -> int:
    """Run a rule with the same changes of its own under several choices."""
    if len(chosen) == 1:
        return _run_one(node, run, chosen[0])
    own = chosen[0] & node.own
    parts = node.parts(own)
    odd = {bits for part in parts if part.odd for bits in chosen if bits & part.reach in part.odd}
    alone, alike = list(odd), [bits for bits in chosen if bits not in odd] if odd else chosen
    if alike and own not in node.ranks:
        alone, alike = [*alone, alike[0]], alike[1:]
    count = sum(_run_one(node, run, bits) for bits in alone)
    largest = max([node.largest, *(part.largest for part in parts)])
    step = MOST_STACKED // largest if largest <= LARGE else 1
    for start in range(0, len(alike), step):
        members = alike[start : start + step]
        stacked = _run_stack(node, run, members) if len(members) > 1 else 0
        count += stacked or sum(_run_one(node, run, bits) for bits in members)
    return count


def _run_one(node: Node, run: Run, bits: int) -> int:
    own = bits & node.own
    parts = node.parts(own)
    taken = [part.value(bits) for part in parts]
    is_usual = not bits or not any(part.odd and bits & part.reach in part.odd for part in parts)
    try:
        if not is_usual:
            _require_ranks(parts, taken)
        value = _call(node, run, own, taken)
    except MISFITS:
        if not bits:
            raise
        # two variants whose shapes do not fit: nobody can have computed this
        value = np.asarray(np.nan)
    if is_usual:
        node.ranks[own] = value.ndim
    node.keep(bits, value)
    return value.size


def _require_ranks(parts: list[Node], taken: list[Array]) -> None:
    # rules broadcast over leading axes, and would take an array with an axis too many for several choices
    for part, value in zip(parts, taken, strict=True):
        if value.ndim != len(part.shape or ()):
            raise ValueError(f"{part.key} has {value.ndim} axes")


def _run_stack(node: Node, run: Run, members: list[int]) -> int:
    """Run a rule under several choices at once; give 0 where it cannot."""
    own, union = members[0] & node.own, reduce(or_, members)
    rank = node.ranks[own]
    stacks = [
        _stack(part, members, rank) if union & part.reach else _share(part, len(members)) for part in node.parts(own)
    ]
    try:
        result = _call(node, run, own, stacks)
    except MISFITS:
        return 0
    if result.ndim == rank or len(result) == 1:
        # nothing of what differs is looked at
        result = np.broadcast_to(result, (len(members), *result.shape[result.ndim - rank :]))
    node.keep_stack(members, result)
    return result.size


def _stack(part: Node, members: list[int], rank: int) -> Array:
    stack = part.stack(members)
    # numbers get axes of length 1, to broadcast with a result of that rank
    return stack if stack.ndim > 1 else stack.reshape(-1, *[1] * rank)


def _share(part: Node, count: int) -> Array:
    value = part.value()
    if value.ndim < 2:
        return value
    # sources only multiply; the shape of what is computed may be taken for that of the result
    return value[None].repeat(count, axis=0) if part.apply else value[None]


def _call(node: Node, run: Run, own: int, taken: list[Array]) -> Array:
    """Run a rule with the node's changes among those chosen."""
    if not own:
        return run(*taken)
    end = len(node.inputs)
    inputs = taken[:end]
    for change, further in node.made(own):
        start, end = end, end + len(further)
        run = partial(_take_further, change.apply, run, node.context, taken[start:end])
    return run(*inputs)


def _take_further(apply: Any, exact: Run, context: RuleContext, further: list[Array], *inputs: Array) -> Array:
    result: Array = apply(exact, context, *inputs, *further)
    return result
