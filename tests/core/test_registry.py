"""Registries: read-only, in the order written, without duplicates, and with the choices in their errors."""

from dataclasses import dataclass

import pytest

from core.activations import ACTIVATIONS
from core.errors import UnknownNameError
from core.losses import LOSSES
from core.registry import Registry
from core.steps import RULES
from core.verification import METHODS


@dataclass(frozen=True)
class Fruit:
    name: str
    price: float = 1.0


def test_entries_are_found_under_their_names_in_the_order_written() -> None:
    fruits = Registry("fruit", Fruit("pear"), Fruit("apple", 2.0))
    assert list(fruits) == ["pear", "apple"]
    assert len(fruits) == 2
    assert fruits["apple"].price == 2.0
    assert "plum" not in fruits


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries of the fruit registry have the same name"):
        Registry("fruit", Fruit("pear"), Fruit("pear", 2.0))


def test_an_unknown_name_lists_the_choices_and_never_echoes_it() -> None:
    fruits = Registry("fruit", Fruit("pear"), Fruit("apple"))
    fruits.require("pear")
    with pytest.raises(UnknownNameError) as caught:
        fruits.require("plum", path=("basket", 0))
    assert str(caught.value) == "this fruit is not known; needed one of pear, apple"
    assert caught.value.path == ("basket", 0)


def test_a_registry_cannot_be_changed() -> None:
    fruits = Registry("fruit", Fruit("pear"))
    assert not hasattr(fruits, "__setitem__")
    assert not hasattr(fruits, "__delitem__")


@pytest.mark.parametrize("registry", [ACTIVATIONS, LOSSES, RULES, METHODS], ids=lambda registry: str(registry.what))
def test_every_entry_stands_under_its_own_name(registry: Registry[Fruit]) -> None:
    assert len(registry) > 0
    assert all(registry[name].name == name for name in registry)


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        (ACTIVATIONS, {"identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "gelu", "softmax"}),
        (LOSSES, {"cross_entropy", "binary_cross_entropy", "squared_error", "half_squared_error"}),
    ],
)
def test_the_names_that_requests_rely_on_are_there(registry: Registry[Fruit], names: set[str]) -> None:
    assert names <= set(registry)
