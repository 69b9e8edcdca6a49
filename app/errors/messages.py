"""What an error says: where it is, what was found, what was needed; and nothing else of the input."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from app.errors.problem import ErrorItem
from core.errors import CoreError, DomainError, NonFiniteError, Path, ShapeError, TooLargeError, UnknownNameError

LONGEST_KEY = 64

CORE_ERRORS: Mapping[type[CoreError], tuple[int, str]] = {
    UnknownNameError: (422, "unknown_name"),
    ShapeError: (422, "shape"),
    DomainError: (422, "domain"),
    TooLargeError: (422, "too_large"),
    NonFiniteError: (422, "not_finite"),
}

PYDANTIC_ERRORS = {
    "float_type": ("type", "found {found}, needed a number; nothing is converted to one{depth}"),
    "finite_number": (
        "not_finite",
        "found a number that float64 cannot hold; needed a finite one, up to about 1.8e308",
    ),
    "int_type": ("type", "found {found}, needed a whole number{hint}"),
    "greater_than_equal": ("range", "found a number below {ge}, the smallest possible here"),
    "less_than_equal": ("range", "found a number above {le}, the largest possible here"),
    "bool_type": ("type", "found {found}, needed true or false"),
    "string_type": ("type", "found {found}, needed a string"),
    "list_type": ("type", "found {found}, needed an array{depth}"),
    "tuple_type": ("type", "found {found}, needed an array"),
    "too_short": ("empty", "found an empty array; needed at least one entry"),
    "literal_error": ("choice", "found {found} that is not a choice; needed {expected}"),
    "dataclass_type": ("type", "found {found}, needed an object"),
    "int_parsing": ("type", "found text that is no whole number; needed one, in digits alone"),
    "int_parsing_size": ("range", "found a whole number that is too long"),
    "dict_type": ("type", "found {found}, needed an object"),
    "extra_forbidden": ("unknown_key", "{key} is not known here: misspelt? /docs shows what there is"),
    "missing": ("missing", "{key} is required and missing"),
    "unexpected_keyword_argument": (
        "unknown_key",
        "{key} is not known here: misspelt, or in the wrong object? /docs shows each object's keys",
    ),
}


WITHOUT_POINT = ", written without a decimal point"

HINTS = {
    "<labels>": "; a list here holds class indices, numbers per output stand in a row of their own for each sample",
    "<label>": "; a number here is a class index",
}
"""What a reader may not know of the branch of a union that was taken, by its tag."""


class BodyError(Exception):
    """A request that is refused before its values are looked at: `path` is where in its body, when known.

    Its status is 422 for too much of everything, 503 when it is not the request's fault, and 4xx else.
    """

    def __init__(
        self, status: int, code: str, message: str, *, path: Path = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.path = path
        self.headers = dict(headers or {})


def stopping() -> BodyError:
    """Return the error for a request that the end of the service comes before."""
    return BodyError(503, "stopping", "the service is stopping", headers={"Retry-After": "1"})


def to_pointer(path: Sequence[str | int]) -> str:
    """Write a path as a JSON pointer.

    Union tags, in angle brackets, are left out. A key that is too long or not printable ends the pointer at its object.
    """
    pointer = ""
    # what the framework read itself stands in the path or the query: a pointer names the parameter alone
    for step in path[1:] if path[:1] in {("path",), ("query",)} else path:
        text = str(step)
        if text.startswith("<"):
            continue
        if len(text) > LONGEST_KEY or not (text.isascii() and text.isprintable()):
            break
        pointer += "/" + text.replace("~", "~0").replace("/", "~1")
    return pointer


def describe(value: object) -> str:
    """Say what kind of JSON value something is, and nothing else of it."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")


def to_item(error: ErrorDetails) -> ErrorItem:
    """Turn one of pydantic's errors into ours."""
    context: dict[str, Any] = dict(error.get("ctx", {}))
    cause = context.get("error")
    if isinstance(cause, CoreError):
        return ErrorItem(
            pointer=to_pointer((*error["loc"], *cause.path)), code=CORE_ERRORS[type(cause)][1], message=str(cause)
        )
    code, message = PYDANTIC_ERRORS[error["type"]]
    # the choices, quoted as JSON has them
    context["expected"] = str(context.get("expected")).replace("'", '"')
    found, key, depth = describe(error["input"]), name_key(error["loc"]), explain_depth(error)
    hint = HINTS.get(next((str(step) for step in error["loc"] if str(step).startswith("<")), ""), WITHOUT_POINT)
    return ErrorItem(
        pointer=to_pointer(error["loc"]),
        code=code,
        message=message.format(found=found, key=key, hint=hint, depth=depth, **context),
    )


def explain_depth(error: ErrorDetails) -> str:
    """Say what an array's levels are, where there is one too many or too few."""
    if error["type"] == "list_type" and error["loc"] and isinstance(error["loc"][-1], int):
        return ": an array of rows, one row for each sample or input"
    if error["type"] == "float_type" and isinstance(error["input"], list):
        return "; it is nested one level too deep"
    return ""


def name_key(path: Sequence[str | int]) -> str:
    """Name the key at the end of a path, where it is one that a message can carry."""
    key = str(path[-1]) if path else ""
    return f'the key "{key}"' if key.isidentifier() and key.isascii() and len(key) <= LONGEST_KEY else "this key"
