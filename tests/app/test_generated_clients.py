"""Generators of clients take every operation of the OpenAPI document: they leave out what they do not know."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.app.test_documentation import DOCUMENT, DOCUMENTED, names_of_schemas


def parts_of(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document."""
    if isinstance(document, dict):
        yield document
    for part in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from parts_of(part)


def test_no_enum_holds_anything_but_strings() -> None:
    """Generators of clients leave out every operation over an enum of numbers, or of numbers and strings."""
    enums = [part["enum"] for part in parts_of(DOCUMENT) if isinstance(part.get("enum"), list)]
    assert len(enums) > 5
    assert [enum for enum in enums if not all(isinstance(choice, str) for choice in enum)] == []


@pytest.mark.parametrize(("path", "method", "operation"), DOCUMENTED)
def test_generators_of_clients_take_every_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    """They know JSON, bytes and text, and schemas with one type; an operation that has none of these is left out."""
    known = {"application/json", "application/octet-stream"}
    assert method == "get" or known & set(operation["requestBody"]["content"])
    schemas = [DOCUMENT["components"]["schemas"][name] for name in names_of_schemas(operation)]
    for part in parts_of([operation, schemas]):
        assert not isinstance(part.get("type"), list)
        assert "const" not in part
        # an array says of what
        assert part.get("type") != "array" or isinstance(part["items"], dict)


@pytest.mark.parametrize(
    ("name", "field", "taken", "refused"),
    [
        ("L2Body", "factor", [0.5, 1, 1.0], ["1", 2, 0.25]),
        ("ConventionsBody", "log_base", ["e", 2, 10], ["2", 1, 11]),
        ("ConventionsBody", "relu_at_zero", [0, 0.5, 1.0], ["0", 2, -1]),
    ],
)
def test_a_choice_of_numbers_shows_their_range(name: str, field: str, taken: list[Any], refused: list[Any]) -> None:
    shown = Draft202012Validator(DOCUMENT["components"]["schemas"][name]["properties"][field])
    assert all(shown.is_valid(value) for value in taken)
    assert not any(shown.is_valid(value) for value in refused)
