"""Replies beside what is printed of them."""

from typing import Any

import pytest


def compare(printed: Any, found: Any) -> None:
    """Compare a reply: the same keys in the same order, text and numbers; "..." is anything."""
    if isinstance(printed, dict):
        assert list(printed) == list(found)
        for key in printed:
            compare(printed[key], found[key])
    elif isinstance(printed, list):
        assert len(printed) == len(found)
        for one, other in zip(printed, found, strict=True):
            compare(one, other)
    elif isinstance(printed, float):
        # the last digit of exp differs between processors
        assert found == pytest.approx(printed, rel=1e-15, abs=0)
    elif printed != "...":
        assert found == printed
