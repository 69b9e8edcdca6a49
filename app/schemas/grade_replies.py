"""What replies on marking and exercises hold."""

from dataclasses import field

from app.schemas.compute_bodies import ConventionsBody, ForwardBody
from app.wire.fields import EntryFlags, LeftOut, Value, WholeNumber, wire_class
from core.answers import ReadingFault
from core.exercises import Advice, Audit, Confused, Exercise, Hidden
from core.grading import Diagnosis, Grade, MarkedAgainst, Outcome, Part, UsedTolerance, Verdict


@wire_class
class DiagnosisReply(Diagnosis):
    """Why an answer is wrong."""

    mistakes: tuple[str, ...]
    """One id, or several for a composite; see /v1/catalogue."""
    equivalent: tuple[str, ...]
    """Ids that give the same numbers here; those of a composite are joined by +."""
    message: str
    """Feedback for the student."""


@wire_class
class UsedToleranceReply(UsedTolerance):
    """The tolerance that a part was marked with: decimals, or relative and absolute."""

    decimals: LeftOut[WholeNumber] = None
    """An answer worked out by hand with so many decimals is right."""
    relative: LeftOut[float] = None
    """Part of the truth's largest entry."""
    absolute: LeftOut[float] = None
    allowed: LeftOut[float] = None
    """How far an entry may lie off; from level full on."""


@wire_class
class ReadingReply(ReadingFault):
    """Where an answer cannot be read."""

    row: int
    """Line of the text, or row of the array, from 1."""
    column: int
    """Character of the line, or place in the row, from 1."""
    message: str


@wire_class
class PartReply(Part):
    """The mark of one quantity."""

    quantity: str
    """Its id as asked, or as handed in."""
    # what the core fills in last has a default there, and is always in a reply
    title: str = field()
    """The quantity in words: gradient by the weights of layer 2."""
    verdict: Verdict
    score: float
    """0 to 1."""
    weight: float = field()
    """How much the score counts; 0 for a quantity that is answered and not asked."""
    message: str = field()
    """For the student: the most telling thing that the level shows of this part."""
    tolerance: LeftOut[UsedToleranceReply] = None
    reading: LeftOut[ReadingReply] = None
    """Only with the verdict unreadable."""
    hints: LeftOut[tuple[str, ...]] = None
    """From level hint on: what a right answer would have, whatever its numbers."""
    diagnoses: LeftOut[tuple[DiagnosisReply, ...]] = None
    """From level diagnosis on."""
    cut: LeftOut[bool] = None
    """From level diagnosis on: true where the search for mistakes was shortened for size."""
    convention: LeftOut[dict[str, str | float | bool]] = None
    """From level diagnosis on: the switches, not stated, under which the answer is right."""
    entries: LeftOut[EntryFlags] = None
    """From level location on: which entries are right, in the answer's shape; all where the verdict gives score 1."""
    right: LeftOut[WholeNumber] = None
    """From level location on: how many entries are right."""
    of: LeftOut[WholeNumber] = None
    """From level location on: how many entries there are."""
    expected: LeftOut[Value] = None
    """Only at level full: the truth."""
    largest_error: LeftOut[float] = None
    """Only at level full."""


@wire_class
class MarkedAgainstReply(MarkedAgainst):
    """What a submission was marked against, and by which release."""

    kind: LeftOut[str] = None
    """The exercise's kind; left out for a problem of the request's own."""
    seed: LeftOut[WholeNumber] = None
    """The exercise's seed."""
    version: LeftOut[WholeNumber] = None
    """The exercise's version."""
    release: str = field()
    """The version of Gradmark that marked it."""


@wire_class
class GradeReply(Grade):
    """The mark of a submission."""

    score: float
    """0 to 1: the parts' scores by their weights."""
    verdict: Outcome
    message: str = field()
    """For the student: how much is right and, from level diagnosis on, where it first goes wrong."""
    gradable: bool = field()
    """False where no answer could be read: a grading tool need not count the attempt."""
    marked_against: MarkedAgainstReply = field()
    conventions: ConventionsBody
    first_wrong: LeftOut[str] = None
    """From level diagnosis on: the quantity that is wrong although what it is computed from is right."""
    parts: tuple[PartReply, ...]
    """One for each quantity asked, then one for each answered beside them."""


@wire_class
class KindReply:
    """A kind of exercise."""

    name: str
    title: str
    asks: tuple[str, ...]
    """Quantity ids."""
    decimals: int


@wire_class
class KindsReply:
    """The kinds of exercises."""

    version: int
    """The latest version of each."""
    kinds: tuple[KindReply, ...]


@wire_class
class ExerciseReply(Exercise):
    """An exercise whose numbers hide no mistake."""

    kind: str
    seed: int
    version: int
    prompt: str
    """What a student reads, as plain text of several lines."""
    problem: ForwardBody
    """The same as data, in the form of a request."""
    asks: tuple[str, ...]
    """Quantity ids."""
    decimals: int
    """The decimals of the answers."""


@wire_class
class TokenReply:
    """A signed token for an exercise."""

    token: str
    """For the field `token` of a grade request, and for `?token=` of the exercise."""
    kind: str
    version: int
    """The version that it stands for."""
    feedback: str
    """The highest level up to which answers are marked."""
    expires_at: str
    """When it ends, as RFC 3339 writes it, in UTC."""


@wire_class
class HiddenReply(Hidden):
    """A mistake that cannot be told from the right answer."""

    mistake: str
    always: bool
    """True: right by definition. Whatever the numbers, samples and widths are, it gives the right answer here."""
    advice: tuple[str, ...]
    """The codes of the changes that show it."""


@wire_class
class ConfusedReply(Confused):
    """Mistakes that cannot be told from each other."""

    mistakes: tuple[str, ...]
    always: bool
    """True: equal by definition. Whatever the numbers, samples and widths are, they give equal numbers here."""
    advice: tuple[str, ...]
    """The codes of the changes that tell some of them apart."""


@wire_class
class AdviceReply(Advice):
    """A change of the problem that makes it tell more."""

    code: str
    message: str
    """What is special about the problem, and what to change."""
    shows: tuple[str, ...]
    """The hidden mistakes that it shows."""
    separates: tuple[tuple[str, ...], ...]
    """The pairs of mistakes that it tells apart."""


@wire_class
class AuditReply(Audit):
    """What a problem's numbers hide."""

    modelled: tuple[str, ...]
    """The mistakes that can be made in these quantities."""
    hidden: tuple[HiddenReply, ...]
    """Those that cannot be told from the right answer."""
    confused: tuple[ConfusedReply, ...]
    """Groups of those that can, which cannot be told from each other."""
    advice: tuple[AdviceReply, ...]
    """What to change, the most telling first."""
    conventions: ConventionsBody


@wire_class
class MistakeReply:
    """A mistake that is recognised."""

    name: str
    family: str
    """What it is about."""
    produces: str
    """What comes out in place of the right answer t, in `symbols`."""
    message: str
    """Feedback for the student, as it reads for dL/dW of a softmax classifier in which the mistake can be made."""
