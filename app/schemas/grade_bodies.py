"""What requests for marking and for exercises hold."""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    WrapValidator,
    field_validator,
)
from pydantic_core import PydanticKnownError

from app.schemas.compute_bodies import ConventionsBody, ForwardBody
from app.wire.fields import (
    WHOLE_SHOWN,
    Answers,
    AtLeastZero,
    KindName,
    LeftOut,
    Level,
    QuantityIds,
    WholeNumber,
    wire_class,
)
from core.conventions import StatedConventions
from core.errors import DomainError
from core.grade_requests import ExerciseReference, GradeRequest
from core.grading import Policy, Tolerance


def note_stated(value: object, read: Callable[[object], ConventionsBody]) -> StatedConventions:
    """Read conventions, and keep which of them the request states."""
    conventions = read(value)
    given: dict[str, Any] = value if isinstance(value, dict) else {}
    stated = {key for key in given if key != "l2"} | {f"l2.{key}" for key in given.get("l2", ())}
    return StatedConventions.of(conventions, frozenset(stated))


SWITCHES_DESCRIPTION = (
    "The choices on which textbooks differ. An answer that is right under another choice than a default that is not "
    "stated here is a convention_mismatch; where the choice is stated, it is a mistake."
)


@wire_class
class MarkedProblemBody(ForwardBody):
    """A problem to mark against; targets and loss where a loss is involved."""

    conventions: Annotated[ConventionsBody, WrapValidator(note_stated), Field(description=SWITCHES_DESCRIPTION)] = (
        field(default_factory=ConventionsBody)
    )


@wire_class
class ExerciseBody(ExerciseReference):
    """An exercise to mark against."""

    kind: KindName
    """See GET /v1/exercises."""
    seed: WholeNumber
    """Which one of its kind."""
    version: LeftOut[WholeNumber] = None
    """As the exercise says; by default the latest."""


@wire_class
class ToleranceBody(Tolerance):
    """Either decimals, for work by hand, or relative and absolute, for work by machine."""

    decimals: LeftOut[WholeNumber] = None
    """Work by hand in which every number is rounded to so many decimals is right."""
    relative: LeftOut[float] = None
    """Part of the truth's largest entry, 0 to 1."""
    absolute: LeftOut[float] = None
    """0 to 1e6."""


Credit = Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]


@wire_class
class PolicyBody(Policy):
    """What verdicts are worth."""

    weights: dict[str, AtLeastZero] = field(default_factory=dict)
    """Weight of each quantity asked; 1 where nothing is said."""
    mistakes: dict[str, AtLeastZero] = field(default_factory=dict)
    """Credit, 0 to 1, for an answer whose only fault is a mistake, by its id; 0 where nothing is said."""
    convention: Credit = 0.5
    """Credit for an answer that is right under a convention that was not stated."""
    entries: Credit = 0.5
    """Credit for the right entries of a wrong answer without a diagnosis, above what chance gives."""
    follow_through: Credit = 1.0
    """Credit, 0 to 1, for an answer that follows correctly from the student's own earlier values."""
    once: bool = False
    """Whether a mistake that explains several parts costs only the first, as they are computed from each other."""


ANSWERS_DESCRIPTION = (
    "Answers under quantity ids: a number, nested lists, or text, as it was typed or printed: JSON, Python, NumPy, "
    "MATLAB rows, fractions. An answer never makes the request fail: one that cannot be read is marked unreadable."
)


@wire_class
class GradeLineBody(GradeRequest):
    """A submission in bulk, or the defaults that all of them share."""

    # descriptions stand in the annotations here, because the class below inherits those and not docstrings
    problem: Annotated[
        LeftOut[MarkedProblemBody],
        Field(description="What is marked against: this, an exercise, or the exercise of a token."),
    ] = None
    exercise: Annotated[
        LeftOut[ExerciseBody],
        Field(description="What is marked against: this, or a problem. All its conventions are stated."),
    ] = None
    token: Annotated[
        LeftOut[str],
        Field(description="In place of the two: the exercise that it stands for, up to its level of feedback."),
    ] = None
    asks: Annotated[
        LeftOut[QuantityIds],
        Field(description="The problem's quantities that count; by default those that are answered."),
    ] = None
    answers: Annotated[LeftOut[Answers], Field(description=ANSWERS_DESCRIPTION)] = None
    tolerance: Annotated[
        LeftOut[ToleranceBody], Field(description="By default it follows from how an answer is written.")
    ] = None
    feedback: Annotated[
        LeftOut[Level],
        Field(
            description="How much is said, each level adding to the last; by default diagnosis; numbers in full only."
        ),
    ] = None
    follow_through: Annotated[
        LeftOut[bool],
        Field(description="Whether what follows from the student's own earlier parts is right; by default true."),
    ] = None
    policy: Annotated[
        LeftOut[PolicyBody], Field(description="How much each quantity counts, and which faults get credit.")
    ] = None

    def __post_init__(self) -> None:
        """Check that a token comes alone: it says itself what is marked against."""
        super().__post_init__()
        for name in ("problem", "exercise", "asks"):
            if self.token is not None and getattr(self, name) is not None:
                raise DomainError(f"found both token and {name}; a token says itself what it is for", path=(name,))


@wire_class
class GradeBody(GradeLineBody):
    """A submission to mark."""

    answers: Annotated[Answers, Field(description=ANSWERS_DESCRIPTION)] = field()


@wire_class
class TokenBody:
    """What a token is to stand for."""

    seed: WholeNumber
    """Which exercise of the kind."""
    version: LeftOut[WholeNumber] = None
    """By default the latest."""
    feedback: Level
    """The highest level of feedback up to which answers are marked; full only if its holders may see the solution."""
    expires_in: WholeNumber
    """How long it holds, in seconds from now."""


@wire_class
class AuditBody:
    """A teacher's own problem."""

    problem: ForwardBody
    """With targets and loss where students are asked for the loss or a derivative of it."""
    asks: QuantityIds
    """The quantities that students are asked for."""
    decimals: WholeNumber = 4
    """The decimals that they give."""


DIGITS = re.compile("-?[0-9]+")


def require_digits(text: object) -> object:
    """Refuse the other ways in which Python writes whole numbers: 1_0, +1, 1.0."""
    if isinstance(text, str) and not DIGITS.fullmatch(text):
        raise PydanticKnownError("int_parsing")
    return text


ONLY_DIGITS = BeforeValidator(require_digits)
# a parameter that is left out is no null
SHOWN_TOKEN = WithJsonSchema({"type": "string"})
SHOWN_SEED = WithJsonSchema(WHOLE_SHOWN)
SHOWN_VERSION = WithJsonSchema(WHOLE_SHOWN | {"minimum": 1})


class ExerciseQuery(BaseModel):
    """Which exercise of a kind: by seed, or by token."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    kind: KindName
    """The kind's name."""
    token: Annotated[str | None, SHOWN_TOKEN] = None
    """In place of seed and version."""
    seed: Annotated[int | None, Field(ge=0, le=2**31 - 1, validate_default=True), ONLY_DIGITS, SHOWN_SEED] = None
    """Which one; the same seed and version give the same numbers."""
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1), ONLY_DIGITS, SHOWN_VERSION] = None
    """The version to draw; by default the latest."""

    @field_validator("seed", "version", mode="after")
    @classmethod
    def _leave_to_token(cls, value: int | None, info: ValidationInfo) -> int | None:
        has_token = info.data.get("token") is not None
        if has_token and value is not None:
            raise DomainError(f"found both token and {info.field_name}; a token says both seed and version itself")
        if not has_token and value is None and info.field_name == "seed":
            raise PydanticKnownError("missing")
        return value
