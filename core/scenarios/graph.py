"""The table of steps as a graph: who takes whose value, and which changes reach it.

A node is a step, a source, or a product of local Jacobians from some quantity down to another; the product
one link further takes it as its rows, so that paths share what they have in common.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import or_

import numpy as np

from core.arrays import Array
from core.jacobians.paths import Link, identity_rows, path_between
from core.nodes import activations_node
from core.problem import Problem
from core.quantities import nodes_in
from core.scenarios.node import Node
from core.steps import Change, Rounding, RuleContext, Step, fill, sources_of, steps_of, structure_of

Variants = Sequence[Sequence[Change]]


class Graph:
    """The nodes of a problem's table, and of products of its local Jacobians as they are asked for.

    Parameters
    ----------
    problem : Problem
    variants : sequence of sequences of Change
        Variant i has bit i in a `Selection`.
    given : mapping of str to ndarray
        Values and local Jacobians that are taken as they are.
    """

    def __init__(self, problem: Problem, variants: Variants, given: Mapping[str, Array]) -> None:
        self.nodes: dict[str, Node] = {}
        self.ordered: list[Node] = []
        self._problem = problem
        self._structure = structure_of(problem)
        self._contexts = [RuleContext(problem, number) for number in range(problem.network.depth + 1)]
        self._products: dict[tuple[str, str], Node] = {}
        self._by_rule: dict[str, list[tuple[int, Change]]] = {}
        for index, variant in enumerate(variants):
            for change in variant:
                self._by_rule.setdefault(change.rule, []).append((1 << index, change))
        sources = sources_of(problem)
        for key, value in {**sources, **given}.items():
            self.nodes[key] = self._add_value(key, value)
            self.nodes[key].is_source = key in sources
        # in the order of the table, so that inputs are there before what takes them
        for step in steps_of(self._structure):
            if step.output not in self.nodes:
                self.nodes[step.output] = self._add_step(step)

    def node(self, key: str) -> Node:
        """Return the node of a numbered id: ``"A2"``, ``"dL_dW1"``, ``"dA2_dZ2"``."""
        return self.nodes.get(key) or self._find_product(*nodes_in(key))

    def upstream(self, key: str) -> frozenset[str]:
        """Name everything that a quantity is computed from: steps, sources and local Jacobians."""
        node = self.node(key)
        # a product of several local Jacobians has the last of them upstream as well
        found, seen, waiting = {node.key}, {node}, [node]
        while waiting:
            further = [part for part in waiting.pop().inputs if part not in seen]
            seen.update(further)
            found.update(part.key for part in further)
            waiting += further
        return frozenset(found - {key, ""})

    def share(self, other: "Graph") -> None:
        """Take over what another graph of the same problem, with nothing given, has computed with nothing changed."""
        for node in self.ordered:
            twin = other.nodes.get(node.key)
            if node.apply and twin and not twin.lacks({0}):
                node.keep(0, twin.value())

    def _add(self, node: Node, changes: Iterable[tuple[int, Change]] = ()) -> Node:
        node.position = len(self.ordered)
        self.ordered.append(node)
        above, scaling = reduce(or_, [part.reach for part in node.inputs], 0), 0
        node.reshaped = reduce(or_, [part.reshaped for part in node.inputs], 0)
        for bit, change in changes:
            if change.where(node.context):
                further = self._further(change, node.context) if change.extra else []
                node.changes.append((bit, change, further))
                node.own |= bit
                above = reduce(or_, [part.reach for part in further], above)
                node.reshaped = reduce(or_, [part.reshaped for part in further], node.reshaped)
                node.reshaped |= bit if change.reshapes(node.context) else 0
                scaling |= bit if change.scales is not None else 0
        node.reach, node.scaling = node.own | above, scaling & ~above
        if node.changes:
            # what takes the step's place comes first, what works on its result after it
            node.changes.sort(key=lambda entry: (not entry[1].replaces, entry[1].scales is not None))
        return node

    def _further(self, change: Change, context: RuleContext) -> list[Node]:
        return [self.nodes[name] for text in change.extra for name in fill(text, context.number, self._structure)]

    def _add_value(self, key: str, value: Array) -> Node:
        node = Node(key, [], self._contexts[0])
        node.keep(0, value)
        return self._add(node)

    def _add_step(self, step: Step) -> Node:
        rule, context = step.rule, self._contexts[step.number]
        node = Node(step.output, [self.nodes[name] for name in step.inputs], context, partial(rule.apply, context))
        node.rounding_bound = rule.rounding_bound
        self._use_outputs(node, rule.from_outputs)
        return self._add(node, self._by_rule.get(rule.name, ()))

    def _use_outputs(self, node: Node, from_outputs: Callable[..., Array] | None) -> None:
        if from_outputs:
            node.from_outputs, outputs = (
                partial(from_outputs, node.context),
                self.nodes[activations_node(node.context.number)],
            )
            # activations that are given need not be those of the pre-activations either
            node.apply, node.replaced = (node.apply, outputs.reach) if outputs.apply else (node.from_outputs, 0)

    def _find_product(self, of: str, by: str) -> Node:
        node = self._products.get((of, of))
        if node is None:
            node = self._products[of, of] = self._add_value("", identity_rows(self._problem, of))
        for link in path_between(self._problem, of, by):
            product = self._products.get((of, link.by))
            # what is given is a local Jacobian as it stands, or multiplies the rows above it
            node = product or (node.key == "" and self.nodes.get(link.key)) or self._add_product(of, node, link)
        return node

    def _add_product(self, of: str, rows: Node, link: Link) -> Node:
        if link.key in self.nodes:
            node = Node(link.key, [rows, self.nodes[link.key]], self._contexts[0], np.matmul)
            node.rounding_bound, node.is_rounded = _bound_given, False
            self._add(node)
        else:
            local, context = link.local, self._contexts[link.step.number]
            node = Node(
                link.key, [rows, *(self.nodes[name] for name in link.inputs)], context, partial(local.pull, context)
            )
            node.rounding_bound = local.rounding_bound
            self._use_outputs(node, local.from_outputs)
            template = next(text for text, other in link.step.rule.jacobians.items() if other is local)
            self._add(node, self._by_rule.get(f"d{link.step.rule.output}_d{template}", ()))
        self._products[of, link.by] = node
        return node


def _bound_given(context: RuleContext, rounding: Rounding, errors: Sequence[Array], rows: Array, given: Array) -> Array:
    return np.asarray(errors[0] @ np.abs(given))
