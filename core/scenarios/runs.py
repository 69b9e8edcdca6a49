"""Running one rule under many selections of variants at once: what it takes is stacked along a leading axis."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial, reduce
from operator import mul, or_
from typing import Any, cast

import numpy as np

from core.arrays import Array
from core.scenarios.node import MAX_STACKED_SIZE, Node
from core.steps import RuleContext

MAX_STACK_NUMBERS = 32_768
"""How many numbers a stack has, at most; beyond the caches stacking takes more than it saves."""

Run = Callable[..., Array]


def compute(node: Node, wanted: set[int]) -> int:
    """Compute a node's values under selections; what it takes has been computed.

    Parameters
    ----------
    node : Node
        Not a source.
    wanted : set of int
        The selections; without the empty one only where the exact value is there.

    Returns
    -------
    int
        How many numbers they are.
    """
    exact, from_outputs = cast("Run", node.apply), node.from_outputs
    count = 0
    if 0 in wanted:
        # the exact value first: its shape is what others are compared with
        count = _run_one(node, exact, 0)
        if len(wanted) == 1:
            return count
        wanted = wanted - {0}
    if node.reshaped:
        lost = {selection for selection in wanted if selection & node.reshaped and _takes_reshaped(node, selection)}
        for selection in lost:
            node.keep(selection, np.asarray(np.nan))
        # a change of its own may give another shape, which fits no stack
        alone = {selection for selection in wanted - lost if selection & node.reshaped & node.own}
        count += len(lost) + sum(_run_alone(node, selection) for selection in alone)
        wanted = wanted - lost - alone
    scaled = {selection for selection in wanted if selection & node.scaling} if node.scaling else set[int]()
    wanted = wanted - scaled
    if from_outputs is not None:
        replaced = {selection for selection in wanted if selection & node.replaced}
        count += sum(_run_many(node, from_outputs, group) for group in _group(replaced, node.own))
        wanted = wanted - replaced
    count += sum(_run_many(node, exact, group) for group in _group(wanted, node.own))
    return count + sum(_scale(node, group) for group in _group(scaled, node.scaling))


def _group(several: set[int], own: int) -> Iterable[list[int]]:
    groups = defaultdict[int, list[int]](list)
    for selection in several:
        groups[selection & own].append(selection)
    return groups.values()


def _scale(node: Node, selections: list[int]) -> int:
    """Put factors on values that have been computed without them."""
    bare = [selection & ~node.scaling for selection in selections]
    factors = [change.scales for change, _ in node.made(selections[0] & node.scaling)]
    if node.size > MAX_STACKED_SIZE:
        for selection, other in zip(selections, bare, strict=True):
            node.keep(selection, np.asarray(reduce(mul, factors, node.value(other))))
        return len(selections) * node.size
    stack: Array = reduce(mul, factors, node.stack(bare))
    node.keep_stack(selections, stack)
    return stack.size


def _run_many(node: Node, run: Run, selections: list[int]) -> int:
    """Run a rule with the same changes of its own under several selections."""
    if len(selections) == 1:
        return _run_one(node, run, selections[0])
    largest = max([node.size, *(part.size for part in node.parts(selections[0] & node.own))])
    length = MAX_STACK_NUMBERS // largest if largest <= MAX_STACKED_SIZE else 1
    if length < 2:
        return sum(_run_one(node, run, selection) for selection in selections)
    blocks = (selections[start : start + length] for start in range(0, len(selections), length))
    return sum(_run_stack(node, run, block) for block in blocks)


def _run_one(node: Node, run: Run, selection: int) -> int:
    own = selection & node.own
    value = _call(node, run, own, [part.value(selection) for part in node.parts(own)])
    node.keep(selection, value)
    return value.size


def _takes_reshaped(node: Node, selection: int) -> bool:
    """Tell whether something that it takes has another shape than the exact one, so that no number can come of it."""
    return any(
        selection & part.reshaped and part.value(selection).shape != part.shape
        for part in node.parts(selection & node.own)
    )


def _run_alone(node: Node, selection: int) -> int:
    run = node.from_outputs if node.from_outputs and selection & node.replaced else cast("Run", node.apply)
    return _run_one(node, run, selection)


def _run_stack(node: Node, run: Run, selections: list[int]) -> int:
    """Run a rule under several selections at once."""
    own, union, rank = selections[0] & node.own, reduce(or_, selections), len(node.shape or ())
    stacks = [
        _stack(part, selections, rank) if union & part.reach else _share(part, len(selections))
        for part in node.parts(own)
    ]
    result = _call(node, run, own, stacks)
    if result.ndim == rank or len(result) == 1:
        # nothing of what differs is looked at
        result = np.broadcast_to(result, (len(selections), *result.shape[result.ndim - rank :]))
    node.keep_stack(selections, result)
    return result.size


def _stack(part: Node, selections: list[int], rank: int) -> Array:
    stack = part.stack(selections)
    # numbers get axes of length 1, to broadcast with a result of that rank
    return stack if stack.ndim > 1 else stack.reshape(-1, *[1] * rank)


def _share(part: Node, count: int) -> Array:
    value = part.value()
    if value.ndim < 2:
        return value
    # a rule may take the shape of what is computed for that of its result; by sources it only multiplies
    return value[None] if part.is_source else value[None].repeat(count, axis=0)


def _call(node: Node, run: Run, own: int, taken: list[Array]) -> Array:
    """Run a rule with the node's changes among those selected."""
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
