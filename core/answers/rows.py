"""What separates the entries of a written list: commas, cells, spaces, line breaks and semicolons."""

from typing import NamedTuple, TypeAlias, Union

from core.answers.assembly import UnreadableError, mixed_list, mixed_number
from core.answers.leaf import BLANK, CELL, COLUMNS, COMMA, EMPTY, LINE, SEMICOLON, TIGHT, Breaks, Leaf
from core.answers.tokens import Token

START, TOUCHING = -2, -1

_BRACKETED = (
    "found a number in round brackets beside numbers without: it may be negative, as accounts are written, or a label; "
    "write a minus, or leave the brackets out"
)


class Entry(NamedTuple):
    """One number of a text.

    Parameters
    ----------
    start, end : int
        Where it stands.
    """

    value: float
    start: int
    end: int


class Group(NamedTuple):
    """One list of lists of a text.

    Parameters
    ----------
    start, end : int
        Where it begins, and where an entry would stand that is missing at its end.
    """

    nodes: tuple[Union["Group", Leaf], ...]
    start: int
    end: int


Node: TypeAlias = Entry | Leaf | Group


class Rows:
    """The entries of one list as they come in, with what stands between them.

    Parameters
    ----------
    breaks : str
        What line breaks are here.
    is_list : bool
        Whether brackets say that even one number is a list.
    start : int
        Where the list begins.
    """

    def __init__(self, breaks: Breaks, start: int, *, is_list: bool) -> None:
        self.leaf = Leaf(breaks=breaks, is_list=is_list, start=start, end=start)
        self._nodes: list[Leaf | Group] = []
        self._gaps: list[int] = []  # before each node
        self._gap = START
        self._comma: Token | None = None
        self._bracketed: list[int] = []  # where positive numbers in round brackets stand

    @property
    def is_empty(self) -> bool:
        """Whether no entry has come in."""
        return not (self.leaf.values or self._nodes)

    @property
    def allows_sign(self) -> bool:
        """Whether a sign here belongs to the number after it, with a blank between them or none."""
        return self._gap not in {TOUCHING, BLANK}

    @property
    def allows_dots(self) -> bool:
        """Whether dots here may say that the row goes on in the next line."""
        return self._gap in {TOUCHING, COMMA, SEMICOLON}

    @property
    def ends_entry(self) -> bool:
        """Whether a comma or a semicolon says that another entry follows."""
        return self._gap in {COMMA, SEMICOLON}

    def touches(self, token: Token) -> bool:
        """Tell whether a token stands right after an entry, with nothing between them."""
        return self._gap == TOUCHING and not token.spaced

    def add(self, node: Node, token: Token, text: str) -> None:
        """Take the next entry, which begins with this token.

        Raises
        ------
        UnreadableError
            If one list would hold both numbers and lists.
        """
        gap = max(self._gap, BLANK)
        if isinstance(node, Entry):
            if self._nodes:
                raise mixed_number(node.start)
            if gap == COMMA and self._is_tight(token, text):
                gap = TIGHT
            self.leaf.add(node.value, node.start, node.end, gap)
            if token.kind == "(" and node.value > 0.0 and "/" not in text[node.start : node.end]:
                self._bracketed.append(token.start)
        else:
            if self.leaf.values:
                raise mixed_list(node.start)
            self._nodes.append(node)
            self._gaps.append(gap)
        self._gap = TOUCHING

    def add_comma(self, token: Token) -> None:
        """Take a comma.

        Raises
        ------
        UnreadableError
            If no entry stands before it.
        """
        if self._gap in {START, COMMA} or self._gap >= SEMICOLON:
            raise UnreadableError(token.start, "found a comma with no number before it; needed one between two entries")
        self._gap, self._comma = COMMA, token

    def add_cell(self) -> None:
        """Take what parts two cells of a row."""
        if self._gap in {TOUCHING, BLANK}:
            self._gap = CELL

    def add_break(self, text: str) -> None:
        """Take line breaks and semicolons."""
        n_lines = text.count("\n")
        found = (LINE if n_lines else 0) | (SEMICOLON if ";" in text else 0) | (EMPTY if n_lines > 1 else 0)
        if self._gap == START or (self._gap == COMMA and found < SEMICOLON and self.leaf.breaks != "rows"):
            return
        self._gap = max(self._gap, 0) & ~3 | found

    def add_columns(self) -> None:
        """Take the sign that further columns follow."""
        if self._gap != START:
            self._gap = max(self._gap, 0) & ~3 | LINE | COLUMNS

    def join(self) -> None:
        """Forget a line break."""
        if self._gap != START:
            self._gap = BLANK

    def close(self, end: int) -> Node:
        """Return the entries as a list, as a list of lists, or as the one number that they are.

        Parameters
        ----------
        end : int
            Where the list ends.

        Raises
        ------
        UnreadableError
            If a row mixes lists with other entries, or numbers in round brackets with others.
        """
        leaf, nodes = self.leaf, self._nodes
        leaf.end, leaf.ends_line = end, self._gap >= LINE
        if self._bracketed and len(self._bracketed) < len(leaf.values):
            raise UnreadableError(self._bracketed[0], _BRACKETED)
        if not nodes:
            if len(leaf.values) == 1 and not leaf.is_list and self._comma is None:
                return Entry(leaf.values[0], leaf.start_of(0), leaf.end_of(0))
            return leaf
        inner = self._gaps[1:]
        if any(gap & SEMICOLON for gap in inner):
            beside = next((node for node, gap in zip(nodes[1:], inner, strict=True) if not gap & SEMICOLON), None)
            if beside is not None:
                raise UnreadableError(
                    beside.start,
                    "found several entries with brackets in a row; needed rows of numbers, or one list per row",
                )
        if len(nodes) == 1 and not leaf.is_list:  # a tuple of one array, as torch.autograd.grad gives it, is this array
            return nodes[0]
        return Group(tuple(nodes), leaf.start, end)

    def _is_tight(self, token: Token, text: str) -> bool:
        comma = self._comma
        if comma is None or comma.spaced or token.spaced:
            return False
        return text[comma.start - 1].isdigit() and text[token.start].isdigit()
