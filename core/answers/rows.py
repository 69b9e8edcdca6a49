"""What separates the entries of a written list: commas, spaces, line breaks and semicolons."""

from itertools import pairwise
from typing import Literal, NamedTuple

from core.answers.assembly import Place, UnreadableError
from core.answers.tokens import Token

WIDE = 60
"""From how many characters a line inside brackets counts as wrapped rather than as a row."""

DECIMAL_COMMA = (
    "found what looks like a decimal comma; write 0.5 for a decimal, "
    "and separate entries by spaces, or by a comma and a space, or put a list in brackets"
)


class Entry(NamedTuple):
    """One number of a text.

    Parameters
    ----------
    value : float
    place : tuple of int
    text : str
        The number as written; empty for a fraction and where brackets stand around it.
    is_fraction : bool
    """

    value: float
    place: Place
    text: str
    is_fraction: bool


class Group(NamedTuple):
    """One list of a text.

    Parameters
    ----------
    nodes : list of Entry and Group
    place, end : tuple of int
        Where it begins, and where an entry would stand that is missing at its end.
    """

    nodes: list["Node"]
    place: Place
    end: Place


Node = Entry | Group


Gap = Literal["start", "touching", "blank", "comma", "tight comma", "break", "row"]
"""What stands before an entry. Plain strings: a member of an enumeration is slow to look up, entry by entry."""


_NO_COMMA = Token(",", ",", (1, 1), spaced=True)


class Rows:
    """The entries of one list as they come in, with what stands between them.

    Parameters
    ----------
    depth : int
        How many brackets stand around them.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._nodes: list[Node] = []
        self._gaps: list[Gap] = []  # before each node
        self._tight_commas: dict[int, Place] = {}  # by the number of the node behind them
        self._gap: Gap = "start"
        self._comma = _NO_COMMA
        self._has_breaks = False

    @property
    def is_empty(self) -> bool:
        """Whether no entry has come in."""
        return not self._nodes

    def touches(self, token: Token) -> bool:
        """Tell whether a token stands right after an entry, with nothing between them."""
        return self._gap == "touching" and not token.spaced

    def add(self, node: Node, token: Token) -> None:
        """Take the next entry, which begins with this token."""
        gap: Gap = "blank" if self._gap == "touching" else self._gap
        if gap == "comma" and not (self._comma.spaced or token.spaced):
            if _digit_at(self._nodes[-1], -1) and _digit_at(node, 0):
                gap = "tight comma"
                self._tight_commas[len(self._nodes)] = self._comma.place
        elif gap in {"break", "row"}:
            self._has_breaks = True
        self._nodes.append(node)
        self._gaps.append(gap)
        self._gap = "touching"

    def add_comma(self, token: Token) -> None:
        """Take a comma.

        Raises
        ------
        UnreadableError
            If no entry stands before it.
        """
        if self._gap in {"start", "comma", "row"}:
            raise UnreadableError(token.place, "found a comma with no number before it; needed one between two entries")
        self._gap, self._comma = "comma", token

    def add_break(self, token: Token, width: int) -> None:
        """Take a line break or a semicolon.

        Parameters
        ----------
        token : Token
            Of kind ``"row"``.
        width : int
            How many characters its line has.
        """
        if self._gap == "start":
            return
        if ";" in token.text:
            self._gap = "row"
        elif self._depth == 0 or not (self._gap == "comma" or self._is_wrapped(width, token.place[0])):
            self._gap = "break"

    def arrange(self, bracket: str, place: Place, end: Place) -> Node:
        """Return the entries as a list, as a list of rows, or as the one number that they are.

        Parameters
        ----------
        bracket : str
            The opening one, empty without.
        place, end : tuple of int
            Where the list begins and ends.

        Returns
        -------
        Entry or Group

        Raises
        ------
        UnreadableError
            If commas look like decimal commas, or a row mixes lists with other entries.
        """
        rows = self._split() if self._has_breaks else [range(len(self._nodes))]
        if self._tight_commas:
            self._require_no_mixed_commas(rows)
            if not bracket:
                self._require_no_decimal_commas(rows)
        if len(self._nodes) == 1 and bracket != "[" and self._comma is _NO_COMMA:
            return self._nodes[0]
        nodes = [_as_row([self._nodes[index] for index in row]) for row in rows] if len(rows) > 1 else self._nodes
        return Group(nodes, place, end)

    def _split(self) -> list[range]:
        # a line break between lists is the layout of a print, between numbers it ends a row
        breaks = {"row", "break"} if all(isinstance(node, Entry) for node in self._nodes) else {"row"}
        starts = [0, *(index for index, gap in enumerate(self._gaps) if index and gap in breaks), len(self._nodes)]
        return [range(start, stop) for start, stop in pairwise(starts)]

    def _require_no_mixed_commas(self, rows: list[range]) -> None:
        for row in rows:
            inner = row[1:]  # what stands before the first entry is not inside the row
            tight = next((index for index in inner if index in self._tight_commas), None)
            if tight is not None and any(self._gaps[index] == "blank" for index in inner):
                raise UnreadableError(self._tight_commas[tight], DECIMAL_COMMA)

    def _require_no_decimal_commas(self, rows: list[range]) -> None:
        # one pair alone is nobody's list: 1,5279 is a loss
        is_doubtful = len(rows) == 1
        for row in rows:
            if len(row) != 2 or row[1] not in self._tight_commas:
                return
            whole, part = (str(getattr(self._nodes[index], "text", "")) for index in row)
            if not whole.lstrip("+-").isdigit() or "." in part:
                return
            is_doubtful |= whole.lstrip("+-") == "0"
        if is_doubtful:
            raise UnreadableError(self._tight_commas[1], DECIMAL_COMMA)

    def _is_wrapped(self, width: int, line: int) -> bool:
        return width >= WIDE or self._fills_line(line)

    def _fills_line(self, line: int) -> bool:
        # NumPy pads each number to the same width and starts a line when the next would pass 75 characters,
        # less one bracket and one space of indentation for each axis
        entries: list[Entry] = []
        for node in reversed(self._nodes):
            if not isinstance(node, Entry) or node.place[0] != line:
                break
            entries.append(node)
        # decimal points stand under each other, and so do the ends of what has none: integers, nan, inf
        points = [
            (index, entry.place[1] + entry.text.index(".")) for index, entry in enumerate(entries) if "." in entry.text
        ]
        ends = [(index, entry.place[1] + len(entry.text)) for index, entry in enumerate(entries)]
        others = [end for end, entry in zip(ends, entries, strict=True) if "." not in entry.text]
        anchors = next((found for found in (points, others, ends) if len(found) > 1), None)
        if anchors is None:
            return False
        # entries run from right to left here; a stride is a number and the space after it
        strides, distance = anchors[-1][0] - anchors[0][0], anchors[0][1] - anchors[-1][1]
        return (len(entries) + 1) * distance > (76 - 2 * self._depth) * strides


def _digit_at(node: Node, index: int) -> bool:
    return isinstance(node, Entry) and node.text != "" and node.text[index].isdigit()


def _as_row(nodes: list[Node]) -> Node:
    if all(isinstance(node, Entry) for node in nodes):
        return Group(nodes, nodes[0].place, nodes[-1].place)
    if len(nodes) > 1:
        raise UnreadableError(
            nodes[1].place, "found several entries with brackets in a row; needed rows of numbers, or one list per row"
        )
    return nodes[0]
