"""Read-only collections of named entries: the choices that a caller has."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from core.errors import Path, UnknownNameError


class Named(Protocol):
    """Anything with a name of its own."""

    @property
    def name(self) -> str:
        """The name it is looked up by."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry]):
    """A read-only mapping from names to entries, in the order written.

    Parameters
    ----------
    what : str
        What an entry is, for messages: ``"activation"``.
    *entries : Named
        The entries; each is found under its own name.

    Raises
    ------
    ValueError
        If two entries have one name.
    """

    def __init__(self, what: str, *entries: Entry) -> None:
        self.what = what
        self._entries = {entry.name: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise ValueError(f"two entries of the {what} registry have the same name")

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def require(self, name: str, *, path: Path = ()) -> None:
        """Check that an entry of this name exists.

        Raises
        ------
        UnknownNameError
            If there is none; the message lists the names there are.
        """
        if name not in self._entries:
            choices = ", ".join(self._entries)
            raise UnknownNameError(f"this {self.what} is not known; needed one of {choices}", path=path)
