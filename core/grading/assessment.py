"""One submission on its way: its parts, marked in the order in which one is computed from another."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.answers import Answer
from core.arrays import Array
from core.grading.allowance import HALF_UNIT, allow
from core.grading.diagnosis import Explanation, choose
from core.grading.effort import Effort
from core.grading.following import follow, is_informative, may_lead_on, needs_no_work
from core.grading.grade import Part
from core.grading.invariants import NOT_ROUNDED, find_hints
from core.grading.matches import Hypothesis, PartToExplain, same_numbers
from core.grading.scoring import credit_entries, credit_explained
from core.grading.search import Search
from core.grading.shapes import describe_misfit, fit_shape
from core.grading.solution import Solution
from core.grading.submission import Submission
from core.grading.suspects import Suspects
from core.grading.verdicts import MUST_BE_FINITE
from core.quantities import to_quantity
from core.scenarios import Scenarios


@dataclass(slots=True)
class Assessment:
    """What is known so far of one submission.

    Parameters
    ----------
    solution : Solution
    submission : Submission
    answers : mapping of str to Answer
        Under numbered keys.
    """

    solution: Solution
    submission: Submission
    answers: Mapping[str, Answer]
    targets: dict[PartToExplain, bool] = field(init=False, default_factory=dict)
    # the student's own values that what follows may be computed from
    own: dict[str, Array] = field(init=False, default_factory=dict)
    # outputs of theirs that are no distribution, though they should be: only Jacobians may follow from them
    improper: dict[str, Array] = field(init=False, default_factory=dict)
    wrong: set[str] = field(init=False, default_factory=set)
    # those of the wrong ones that a mistake explains
    named: set[str] = field(init=False, default_factory=set)
    own_scenarios: Scenarios | None = field(init=False, default=None)
    effort: Effort = field(init=False)

    def __post_init__(self) -> None:
        self.effort = Effort(self.solution.question.problem, self.solution.budget)
        for key, answer in self.answers.items():
            if answer.value is not None and np.isfinite(answer.value).all():
                target = self._to_target(key, answer.value)
                own = fit_shape(answer.value, target.truth.shape)
                self.targets[target] = own is not None and bool(
                    (np.abs(own - target.truth) <= target.allowance.limits).all()
                )

    def mark(self, key: str) -> Part:
        """Mark one quantity; those upstream of it have been marked."""
        self.effort.is_cut = False
        part = self._mark(key)
        is_searched = part.verdict in {"incorrect", "wrong_shape", "not_finite"}
        return replace(part, cut=True) if is_searched and (self.effort.is_cut or self._suspects().is_cut) else part

    def _mark(self, key: str) -> Part:
        truth, answer = self.solution.truth(key), self.answers.get(key)
        if answer is None:
            return Part(quantity=key, verdict="missing", score=0.0, expected=truth, hints=())
        if answer.value is None:
            return Part(quantity=key, verdict="unreadable", score=0.0, reading=answer.reading, expected=truth, hints=())
        target = next((t for t in self.targets if t.key == key), None)
        if target is None:
            return self._mark_not_finite(self._to_target(key, answer.value))
        own = fit_shape(target.answer, truth.shape)
        if own is None:
            return self._mark_misshapen(target)
        part = self._mark_shaped(target, own)
        if part.verdict == "correct" or self._may_lead_on(target, own, part):
            self.own[key] = own
            self.own_scenarios = None
            if part.verdict != "correct":
                self.wrong.add(key)
        elif self._counts(key) and is_informative(own, truth, target.allowance.allowed):
            # S − Y of outputs that are no distribution is no work, but their Jacobian is
            self.improper[key] = own
            self.wrong.add(key)
        return part

    def _to_target(self, key: str, value: Array) -> PartToExplain:
        question, truth = self.solution.question, self.solution.truth(key)
        allowance = allow(
            self.solution.precision(key),
            value,
            self.submission.tolerance,
            question.decimals,
            may_widen=self.submission.may_widen,
        )
        return PartToExplain(quantity=to_quantity(key), truth=truth, answer=value, allowance=allowance)

    def _mark_shaped(self, target: PartToExplain, own: Array) -> Part:
        truth, allowance, policy = target.truth, target.allowance, self.submission.policy
        differences = np.abs(own - truth)
        part = Part(
            quantity=target.key,
            verdict="correct",
            score=1.0,
            tolerance=allowance.used,
            hints=(),
            diagnoses=(),
            entries=(differences <= allowance.limits).reshape(target.answer.shape),
            expected=truth,
            largest_error=float(differences.max()),
        )
        # correctly rounded needs no second look: no mistake could be told from it
        if self.targets[target] and allowance.is_rounded(own, truth):
            return part
        if self.targets[target]:
            # a mistake in one layer only is looked for in what is wrong anyway: this is the way of most right answers
            rivals = self._search(target, suspects=self.solution.suspects).rivals()
            nearest = [r for r in rivals if same_numbers(r.prediction, rivals[0].prediction, allowance.largest)]
            explained = self._choose(target, nearest, self.solution.suspects.scenarios)
            if explained is None or self._follows(target):
                return part
            return self._wrong(part, target, own, explained)
        search = self._search(target)
        follows = self._follows(target)
        if follows and not self.wrong & self._upstream_of_all(target.key):
            # from right numbers, rounded on the way that the student went
            return part
        explained = self._choose(target, search.convention(self.solution.free))
        if explained is not None:
            score = max(policy.convention, policy.follow_through if follows else 0.0)
            return replace(part, verdict="convention_mismatch", score=score, convention=explained.convention)
        if follows:
            return replace(part, verdict="follows_through", score=policy.follow_through)
        return self._wrong(part, target, own, self._explain(target, search))

    def _wrong(self, part: Part, target: PartToExplain, own: Array, explained: Explanation | None) -> Part:
        problem, allowance = self.solution.question.problem, target.allowance
        hints = find_hints(problem, target.quantity, own, allowance.decimals, allowance.used)
        if allowance.is_cut_off(own, target.truth):
            hints = (NOT_ROUNDED, *hints)
        if explained is None or _is_rounded(target, own):
            right = np.abs(own - target.truth) <= allowance.limits
            score = credit_entries(right, target.truth, allowance.limits, self.submission.policy)
            return replace(part, verdict="incorrect", score=score, hints=hints)
        if not explained.mistakes:
            score = self.submission.policy.convention
            return replace(part, verdict="convention_mismatch", score=score, convention=explained.convention)
        return replace(
            part,
            verdict="incorrect",
            score=credit_explained(explained, self.submission.policy),
            hints=hints,
            diagnoses=(explained.to_diagnosis(),),
            convention=explained.convention or None,
        )

    def _mark_misshapen(self, target: PartToExplain) -> Part:
        explained = self._explain(target, self._search(target))
        return Part(
            quantity=target.key,
            verdict="wrong_shape",
            score=credit_explained(explained, self.submission.policy) if explained else 0.0,
            tolerance=target.allowance.used,
            hints=(describe_misfit(target.answer.shape, target.truth.shape),),
            diagnoses=(explained.to_diagnosis(),) if explained else (),
            convention=(explained.convention or None) if explained else None,
            expected=target.truth,
        )

    def _mark_not_finite(self, target: PartToExplain) -> Part:
        search = self._search(target)
        explained = self._choose(target, search.not_finite())
        return Part(
            quantity=target.key,
            verdict="not_finite",
            score=credit_explained(explained, self.submission.policy) if explained else 0.0,
            tolerance=target.allowance.used,
            hints=(MUST_BE_FINITE,),
            diagnoses=(explained.to_diagnosis(),) if explained else (),
            expected=target.truth,
        )

    def _explain(self, target: PartToExplain, search: Search) -> Explanation | None:
        if self.wrong & self._upstream(target.key):
            scenarios = self._own_scenarios()
            near = self._search(target, scenarios).mistakes(most=1)
            explained = self._choose(target, near, scenarios)
            if explained is not None:
                return explained
        return self._choose(target, search.mistakes())

    def _search(
        self, target: PartToExplain, scenarios: Scenarios | None = None, *, suspects: Suspects | None = None
    ) -> Search:
        suspects = suspects or self._suspects()
        right = [other for other, is_right in self.targets.items() if is_right]
        return Search(suspects, scenarios or suspects.scenarios, target, self.effort, right)

    def _suspects(self) -> Suspects:
        return self.solution.suspects_by_layer

    def _choose(
        self, target: PartToExplain, matches: list[Hypothesis], scenarios: Scenarios | None = None
    ) -> Explanation | None:
        others = {other: right for other, right in self.targets.items() if other is not target}
        return choose(target, matches, scenarios or self._suspects().scenarios, others, self.solution.free)

    def _follows(self, target: PartToExplain) -> bool:
        if not (self.own or self.improper) or not (self.submission.follow_through or not self.wrong):
            return False
        scenarios, own, own_scenarios = self.solution.scenarios, self.own, self._own_scenarios()
        if self.improper and target.quantity.is_jacobian:
            own = own | self.improper
            own_scenarios = self._suspects().scenarios_given(own)
        for expected in follow(scenarios, own_scenarios, target.key, own, self.effort):
            if target.is_met(expected) and self._is_work(expected, target.truth, target.allowance.allowed):
                return True
        return False

    def _upstream_of_all(self, key: str) -> frozenset[str]:
        # what the table computes it from, and derivatives that the long way goes by
        return self._upstream(key) | {name for name in self.own if name.startswith("d")}

    def _is_work(self, expected: Array, truth: Array, allowed: float) -> bool:
        # a modelled mistake may well leave a single number, but nobody gets credit for zeros
        if self.wrong <= self.named:
            return bool(np.abs(expected).max() > 2.0 * allowed)
        return is_informative(expected, truth, allowed)

    def _upstream(self, key: str) -> frozenset[str]:
        return self.solution.scenarios.upstream(key)

    def _own_scenarios(self) -> Scenarios:
        if self.own_scenarios is None:
            self.own_scenarios = self._suspects().scenarios_given(self.own)
        return self.own_scenarios

    def _may_lead_on(self, target: PartToExplain, own: Array, part: Part) -> bool:
        problem = self.solution.question.problem
        follows = part.verdict in {"follows_through", "convention_mismatch"}
        if follows and self.wrong & self._upstream(target.key) <= self.named:
            self.named.add(target.key)
        if follows:
            return True
        named = {name for diagnosis in part.diagnoses or () for name in diagnosis.mistakes}
        if named and not needs_no_work(problem, own, target.allowance.allowed):
            self.named.add(target.key)
            return True
        return self._counts(target.key) and may_lead_on(problem, target.key, own, target.truth, target.allowance)

    def _counts(self, key: str) -> bool:
        # what costs nothing, for nobody asked for it, must not earn anything either
        asked = (text for text, other in self.solution.question.asks.items() if other == key)
        return any(self.submission.policy.weights.get(text, 1.0) > 0 for text in asked)


def _is_rounded(target: PartToExplain, own: Array) -> bool:
    # the right numbers, with too few decimals to tell them from others; whole numbers may well be a mistake's own
    allowance = target.allowance
    if not (allowance.is_coarse or allowance.decimals):
        return False
    decimals = allowance.decimals or 0
    return bool((np.abs(own - np.round(target.truth, decimals)) <= HALF_UNIT * 1e-3 * 10.0**-decimals).all())
