"""Lines that are written alike: their words become white space, and one parse reads the numbers of all of them."""

import re

import numpy as np
import numpy.typing as npt

from app.wire.skeletons import simdjson
from core.grading import NO_MATCH, ExactMatcher

NUMBER_SIGNS = b"0123456789+-.eE"
QUOTED = re.compile(rb'"[^"\\]*"')
HEAD = re.compile(rb'\{\s*"answers"\s*:\s*\{\s*"[^"\\]*"\s*:')
KEY = re.compile(rb',\s*"[^"\\]*"\s*:')
TAIL = re.compile(rb"\}\s*\}\s*\Z")


def find_template_key(line: bytes) -> tuple[bytes, bytes]:
    """Return what lines have in common that differ in nothing but numbers: signs, and what stands in quotes."""
    return line.translate(None, NUMBER_SIGNS), b"".join(QUOTED.findall(line))


def has_template(line: bytes) -> bool:
    """Tell whether a line is one of answers first of all, with an end and without tabs."""
    return simdjson is not None and bool(
        HEAD.match(line) and TAIL.search(line) and line.endswith(b"\n") and b"\t" not in line
    )


class LineTemplate:
    """A line of answers without its numbers, made of one of its lines, which `has_template` and can be marked.

    Notes
    -----
    Between the numbers of two lines, and before each further answer of a line, stand words that are always the
    same. With white space in their place, told apart by tabs, all the lines are one array of JSON. Without the
    signs of numbers, that array has to be one pattern over and over: then each line has its words and brackets
    in their places, and what the parser takes for numbers are the line's.
    """

    def __init__(self, line: bytes, matcher: ExactMatcher) -> None:
        self._matcher = matcher
        self._head, self._tail = HEAD.findall(line)[0], TAIL.findall(line)[0]
        body = line[len(self._head) : -len(self._tail)]
        words = [self._tail + self._head, *KEY.findall(body)]
        # bytes are replaced faster by as many
        self._gaps = {word: (b"," + b"\t" * tabs).ljust(len(word)) for tabs, word in enumerate(words, start=1)}
        self._end = self._gaps[words[0]]
        self._pattern = self._blank(body + words[0]).translate(None, NUMBER_SIGNS)

    def match(self, lines: bytes) -> npt.NDArray[np.int64] | None:
        """Return of each line what `ExactMatcher` says of it; None if not all of the lines have this template."""
        if not (lines.startswith(self._head) and lines.endswith(self._tail)) or b"\t" in lines:
            return None
        text = self._blank(lines[len(self._head) : -len(self._tail)])
        signs = text.translate(None, NUMBER_SIGNS) + self._end
        count = len(signs) // len(self._pattern)
        if signs != self._pattern * count:
            return None
        try:
            numbers = np.frombuffer(simdjson.Parser().parse(b"[" + text + b"]").as_buffer(of_type="d"))
        except (ValueError, RuntimeError):
            # 1e400, 01, whole numbers of more than 64 bits
            return None
        if numbers.size != count * self._matcher.width:
            # a list of one number has the signs of an empty one
            return None
        return self._matcher.match(numbers.reshape(count, self._matcher.width))

    def match_each(self, lines: list[bytes]) -> list[int]:
        """Return the same of lines of which some may have another template after all: those have no match."""
        found = self.match(b"".join(lines))
        if found is not None:
            return list(map(int, found))
        if len(lines) == 1:
            return [NO_MATCH]
        half = len(lines) // 2
        return self.match_each(lines[:half]) + self.match_each(lines[half:])

    def _blank(self, text: bytes) -> bytes:
        for word, gap in self._gaps.items():
            text = text.replace(word, gap)
        return text
