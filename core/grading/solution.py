"""What is right in a question: the truth, how far careful work may be off, and what can go wrong."""

from collections.abc import Mapping
from functools import cached_property

from core.arrays import Array
from core.budget import Budget
from core.conventions import Switch
from core.errors import NonFiniteError
from core.grading.diagnosis.choice import free_switches
from core.grading.diagnosis.suspects import Suspects
from core.grading.precision import Precision, find_precision
from core.grading.question import Question, read_ids
from core.jacobians import multiply_path, require_room
from core.quantities import to_quantity
from core.scenarios import Scenarios
from core.steps import evaluate


class Solution:
    """The solution of a question, computed as far as it is asked for, and kept.

    Parameters
    ----------
    budget : Budget, optional
        What the truth and the search for mistakes may take.
    """

    def __init__(self, question: Question, *, budget: Budget | None = None) -> None:
        self.question = question
        self.budget = budget or Budget()
        self.scenarios = Scenarios(question.problem)
        self._suspected: list[Suspects] = []
        self._truths: dict[str, Array] = {}
        self._precisions: dict[str, Precision] = {}

    @cached_property
    def suspects(self) -> Suspects:
        """What can have gone wrong; a right answer never needs it."""
        return self._suspect(in_one_layer=False)

    @cached_property
    def suspects_by_layer(self) -> Suspects:
        """The same, with mistakes made in one layer only."""
        return self._suspect(in_one_layer=True)

    @cached_property
    def free(self) -> frozenset[Switch]:
        """The conventions that nobody stated."""
        return free_switches(self.question, self.suspects)

    @property
    def held(self) -> int:
        """How many numbers are kept: truths, and what the searches have computed."""
        scenarios = self.scenarios.held + sum(suspects.held for suspects in self._suspected)
        return scenarios + sum(truth.size for truth in self._truths.values())

    def truth(self, key: str) -> Array:
        """Return a quantity's right value."""
        return self._truths[key]

    def precision(self, key: str) -> Precision:
        """Return how far careful work on a quantity may be off."""
        if key not in self._precisions:
            self._precisions[key] = find_precision(self.scenarios, key, self._truths[key])
        return self._precisions[key]

    def find_shapes(self, answers: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
        """Return the shapes that answers need.

        Parameters
        ----------
        answers : mapping of str to object
            Under quantity ids.

        Raises
        ------
        UnknownNameError, DomainError
            If an id names nothing of the problem.
        TooLargeError, NonFiniteError
            If a truth is too large, or does not fit float64.
        """
        ids = read_ids(answers, self.question.problem)
        self.compute_truths({key: text for text, key in {**ids, **self.question.asks}.items()})
        return {text: self.truth(key).shape for text, key in ids.items()}

    def compute_truths(self, spelt: Mapping[str, str]) -> None:
        """Compute what is right of quantities.

        Parameters
        ----------
        spelt : mapping of str to str
            Their ids under numbered keys, for errors.

        Raises
        ------
        TooLargeError, NonFiniteError
            If a truth is too large, or does not fit float64.
        """
        problem = self.question.problem
        missing = {key: to_quantity(key) for key in spelt if key not in self._truths}
        if not missing:
            return
        paths = [self.question.path_of(spelt[key]) for key in missing]
        require_room(problem, list(missing.values()), self.budget, path_of=lambda index: paths[index])
        for path, (key, quantity) in zip(paths, missing.items(), strict=True):
            try:
                self._truths[key] = (
                    multiply_path(problem, quantity.of, str(quantity.by), self.budget)
                    if quantity.is_jacobian
                    else evaluate(problem, [key], budget=self.budget)[key]
                )
            except NonFiniteError as error:
                raise error.at(path) from None

    def _suspect(self, *, in_one_layer: bool) -> Suspects:
        found = Suspects(self.question.problem, in_one_layer=in_one_layer, exact=self.scenarios)
        self._suspected.append(found)
        return found
