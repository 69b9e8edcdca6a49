"""What can have gone wrong in a problem: the variants of all mistakes that apply there, and pairs of them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import cast

from core.arrays import Array
from core.conventions import Switch
from core.mistakes import MISTAKES, Mistake, Variant
from core.problem import Problem
from core.scenarios import NO_VARIANTS, Scenarios, Selection, join, numbers_in, select
from core.steps import RULES, Change

Factor = tuple[tuple[str, ...], float, Selection]
"""The mistakes that multiply a quantity by a number, the number, and the variants that do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suspect:
    """One variant of one mistake, in all layers or in one.

    Parameters
    ----------
    selection : Selection
        It alone, among the variants of the scenarios.
    layer : int or None
        The only layer in which it is made; None for all.
    """

    mistake: Mistake
    variant: Variant
    selection: Selection
    layer: int | None = None

    @property
    def switch(self) -> Switch | None:
        """The convention under which it is no mistake."""
        return next((change.switch for change in self.variant if change.switch), None)


class Suspects:
    """The mistakes that can be made in a problem.

    Parameters
    ----------
    in_one_layer : bool
        Whether mistakes made in one layer only are suspected as well.
    exact : Scenarios, optional
        Those of the problem without variants, for what they have computed already.

    Attributes
    ----------
    is_cut : bool
        Whether mistakes made in one layer only are left out because the network is too deep.
    factors : dict of str to list of Factor
        Those that have been looked up, by quantity.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        in_one_layer: bool = False,
        exact: Scenarios | None = None,
    ) -> None:
        self.problem = problem
        self._exact = exact
        self.mistakes = tuple(mistake for mistake in MISTAKES.values() if mistake.applies(problem))
        self.transforms = tuple((m, transform) for m in self.mistakes for transform in m.transforms)
        self.is_cut = in_one_layer and problem.network.depth > DEEPEST_BY_LAYER
        self.suspects = self._find_suspects(in_one_layer=in_one_layer)
        self.factors: dict[str, list[Factor]] = {}
        self._scenarios: Scenarios | None = None

    @property
    def scenarios(self) -> Scenarios:
        """The scenarios in which any of them has been made."""
        if self._scenarios is None:
            self._scenarios = self.scenarios_given({})
        return self._scenarios

    @property
    def held(self) -> int:
        """How many numbers those keep."""
        return self._scenarios.held if self._scenarios else 0

    def scenarios_given(self, given: Mapping[str, Array]) -> Scenarios:
        """Return the scenarios of the same suspects where some values are given."""
        return Scenarios(self.problem, [suspect.variant for suspect in self.suspects], given=given, exact=self._exact)

    def made(self, selection: Selection) -> Iterator[Suspect]:
        """Give the suspects that are selected, in the order of the registry."""
        return (self.suspects[number] for number in numbers_in(selection))

    def names(self, selection: Selection) -> tuple[str, ...]:
        """Name the mistakes whose variants are selected.

        Returns
        -------
        tuple of str
            In the order of the registry.
        """
        return tuple(dict.fromkeys(suspect.mistake.name for suspect in self.made(selection)))

    def switches(self, selection: Selection) -> dict[str, Switch]:
        """Find the conventions under which the mistakes whose variants are selected are none.

        Returns
        -------
        dict of str to Switch
            By the mistake's name.
        """
        return {suspect.mistake.name: suspect.switch for suspect in self.made(selection) if suspect.switch}

    def singles(self, scenarios: Scenarios, key: str) -> list[Selection]:
        """List the variants that make a difference to a quantity.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        list of Selection
            One variant each.
        """
        reach = scenarios.reach(key)
        return [s.selection for s in self.suspects if s.selection & reach]

    def pairs(self, scenarios: Scenarios, key: str) -> list[Selection]:
        """List the pairs of compatible variants of different mistakes that make a difference to a quantity.

        Parameters
        ----------
        key : str
            A numbered id.

        Returns
        -------
        list of Selection
            Two variants each.
        """
        reach = scenarios.reach(key)
        made = [s for s in self.suspects if s.selection & reach and s.layer is None]
        singles = [s.selection for s in made]
        pairs = [
            suspect.selection | other
            for rank, suspect in enumerate(made, start=1)
            for clashing in (self._clashing(suspect),)
            for other in singles[rank:]
            if not other & clashing
        ]
        return cast("list[Selection]", pairs)

    def conventions(self, free: Collection[Switch], scenarios: Scenarios, key: str) -> list[Selection]:
        """List the selections that other conventions are, alone and together.

        Parameters
        ----------
        free : collection of Switch
            Those that may be taken.
        key : str
            A numbered id.

        Returns
        -------
        list of Selection
            The fewest variants first.
        """
        reach = scenarios.reach(key)
        found = [NO_VARIANTS]
        for suspect in self.suspects:
            if suspect.switch in free and suspect.selection & reach and suspect.layer is None:
                clashing = self._clashing(suspect)
                found += [join((other, suspect.selection)) for other in found if not other & clashing]
        return sorted(found[1:], key=int.bit_count)

    def _clashing(self, suspect: Suspect) -> Selection:
        """Select what cannot be made together with a suspect: of one step there is one replacement."""
        return join(self._by_kind[kind] for kind in _kinds(suspect))

    @cached_property
    def _by_kind(self) -> dict[str, Selection]:
        found: dict[str, Selection] = defaultdict(lambda: NO_VARIANTS)
        for suspect in self.suspects:
            for kind in _kinds(suspect):
                found[kind] = join((found[kind], suspect.selection))
        return found

    def _find_suspects(self, *, in_one_layer: bool) -> tuple[Suspect, ...]:
        made: list[tuple[Mistake, Variant, int | None]] = [
            (m, variant, None) for m in self.mistakes for variant in m.variants
        ]
        depth = self.problem.network.depth
        if in_one_layer and 1 < depth <= DEEPEST_BY_LAYER:
            layers = range(1, depth + 1)
            made += [(m, _in_layer(variant, n), n) for m, variant, _ in made if _is_of_layers(variant) for n in layers]
        return tuple(
            Suspect(mistake=m, variant=variant, selection=select(i), layer=n) for i, (m, variant, n) in enumerate(made)
        )


DEEPEST_BY_LAYER = 8
"""The depth up to which the search includes mistakes made in one layer only."""


def _is_of_layers(variant: Variant) -> bool:
    return all(
        (change.rule in RULES and RULES[change.rule].is_repeated) or change.rule not in RULES for change in variant
    )


def _kinds(suspect: Suspect) -> list[str]:
    # the mistake that it is a variant of, and the rules that it replaces
    return [suspect.mistake.name, *(f"{change.rule}()" for change in suspect.variant if change.replaces)]


@lru_cache(maxsize=4096)
def _in_layer(variant: Variant, number: int) -> Variant:
    def narrowed(change: Change) -> Change:
        return replace(change, where=lambda context: context.number == number and change.where(context))

    return tuple(narrowed(change) for change in variant)
