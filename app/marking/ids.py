"""The ids of lines, taken out before a line is read: lines that differ in nothing else share a reply."""

import re
from typing import NamedTuple

import orjson

KEY = b'"id"'
ESCAPED_KEY = b"\\u006"
"""How an i or a d of another key that means id can be written."""

SPACES = b" \t\r"
PLAIN = rb'"id" *: *("[^"\\\x00-\x1f\x7f-\xff]*+") *'
FIRST_OF_EACH = re.compile(rb"\n\{ *" + PLAIN + rb', *(?=")')
LAST_OF_EACH = re.compile(rb',(?<=[]}"0-9el],) *' + PLAIN + rb"\}(?=\r?\n)")
MEMBER = re.compile(rb'"id"[ \t\r]*+:[ \t\r]*+("(?:[^"\\\x00-\x1f]|\\.)*+")[ \t\r]*+')


class Line(NamedTuple):
    """A line as it was sent, without its id, and the id as `write_id` gives it; empty where none was found."""

    raw: bytes
    bare: bytes
    id: bytes = b""


def take_id(raw: bytes) -> Line:
    """Take the id out of a line in which it is the first or the last member, and where no other key can be one.

    The bare line is JSON if and only if the line is, with the same members but for the id.
    """
    place = raw.find(KEY)
    member = MEMBER.match(raw, place) if place >= 0 else None
    if member is None or raw.find(KEY, place + 1) >= 0 or ESCAPED_KEY in raw:
        return Line(raw, raw)
    before, after = raw[:place].rstrip(SPACES), raw[member.end() :]
    bare = _join(before, after)
    text = None if bare is None else _read_text(member[1])
    return Line(raw, raw) if bare is None or text is None else Line(raw, bare, write_id(text))


def take_ids(chunk: bytes) -> tuple[bytes, list[bytes]] | None:
    """Return all lines of a chunk without their ids, and these, ten times as fast as `take_id` one by one.

    None if not every line has a plain one in the same place.
    """
    count = chunk.count(KEY)
    if ESCAPED_KEY in chunk or count != chunk.count(b"\n") or not chunk.endswith(b"\n"):
        return None
    _, *parts = FIRST_OF_EACH.split(b"\n" + chunk)
    if len(parts) == 2 * count:
        bare = b"".join([b"{%b\n" % rest for rest in parts[1:-1:2]]) + b"{" + parts[-1]
        return bare, list(map(write_id, parts[0::2]))
    parts = LAST_OF_EACH.split(chunk)
    if len(parts) == 2 * count + 1:
        return b"}".join(parts[0::2]), list(map(write_id, parts[1::2]))
    return None


def write_id(text: bytes) -> bytes:
    """Write an id, which is text as orjson writes it, as it stands in the reply behind the index."""
    return b',"id":' + text


def _join(before: bytes, after: bytes) -> bytes | None:
    """Join what stands before a member and after it, if it is the first or the last of several."""
    if before.lstrip(SPACES) == b"{":
        rest = after[1:].lstrip(SPACES)
        return before + rest if after.startswith(b",") and rest.startswith(b'"') else None
    others = before[:-1].rstrip(SPACES)
    is_last = before.endswith(b",") and after.strip(b" \t\r\n") == b"}"
    return others + after if is_last and others[-1:] not in b"{[,:" else None


def _read_text(text: bytes) -> bytes | None:
    """Return text in quotes as orjson writes it, whatever its escapes are; None if it is no JSON."""
    if text.isascii() and b"\\" not in text:
        return text
    try:
        return orjson.dumps(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None
