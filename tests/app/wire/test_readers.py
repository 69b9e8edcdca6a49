"""Two readers of bodies, one verdict: what simdjson reads into arrays is what the reference reads, or left to it."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.errors import BodyError
from app.examples import TWO_LAYER_PROBLEM
from app.schemas.compute_bodies import ForwardBody, JacobiansBody
from app.wire.reading import FAST_FROM, parse_body, read_body
from app.wire.skeletons import OddBodyError, split_json
from tests.support.readers import BODIES, PROBLEM, is_read_fast, outcome

Json = dict[str, Any]
Mutation = Callable[[random.Random, bytes], bytes]


# fmt: off
LITERALS = [
    b"-0", b"-0.0", b"0", b"1", b"1.0", b"1E2", b"1e-400", b"5e-324", b"0.1e+3", b"01", b"1.", b".5", b"+1", b"0x1",
    b"1e400", b"-1e400", b"NaN", b"Infinity", b"true", b"false", b"null", b'"1"', b'"[1]"', b"[1]", b"[]", b"{}",
    b"9007199254740993", b"18446744073709551615", b"18446744073709551616", b"-9223372036854775809", b"7" * 700,
    b"0.1000000000000000055511151231257827", b"123456789012345678901234567890.0", b"1,2", b"1]", b"[1", b"[[2]]",
    b"2147483648", b'"\\ud800"', b'"\xff"', b'"a":1', b'{"a":1,"a":1}', b"4", b"-1", b"1 ", b"\n1", b"\x0c1",
    b"7" * 1000, b"7" * 1001, b"0." + b"1" * 999, b"[" * 61 + b"]" * 61, b"[" * 70 + b"]" * 70, b"[" * 70,
]
# fmt: on
PIECES = [b"[", b"]", b"{", b"}", b",", b":", b'"', b" ", b"\\", b"-", b".", b"e", b"0", b"9", b"\x00", b"\xef\xbb\xbf"]


def number_places(raw: bytes) -> Iterator[tuple[int, int]]:
    """Find the numbers of a document without escapes in its strings."""
    start = None
    for index, byte in enumerate(raw):
        if byte in b"-+.0123456789eE" and (start is not None or raw[index - 1 : index] in (b"[", b",", b":", b" ")):
            start = index if start is None else start
        elif start is not None:
            yield start, index
            start = None


def replace_a_number(source: random.Random, raw: bytes) -> bytes:
    start, end = source.choice(list(number_places(raw[:4000])))
    return raw[:start] + source.choice(LITERALS) + raw[end:]


def insert_a_piece(source: random.Random, raw: bytes) -> bytes:
    place = source.randrange(len(raw))
    return raw[:place] + source.choice(PIECES) + raw[place:]


def drop_some_bytes(source: random.Random, raw: bytes) -> bytes:
    place = source.randrange(len(raw))
    return raw[:place] + raw[place + source.choice((1, 1, 2, 20)) :]


def repeat_some_bytes(source: random.Random, raw: bytes) -> bytes:
    start = source.randrange(len(raw))
    end = start + source.choice((1, 10, 40, 400))
    return raw[:end] + raw[start:]


def change_a_byte(source: random.Random, raw: bytes) -> bytes:
    place = source.randrange(len(raw))
    return raw[:place] + bytes([source.randrange(256)]) + raw[place + 1 :]


def swap_a_bracket(source: random.Random, raw: bytes) -> bytes:
    places = [index for index, byte in enumerate(raw) if byte in b"[]{},"]
    place = source.choice(places)
    return raw[:place] + source.choice((b"[", b"]", b",", b"],[", b"[[", b"]]", b"", b", ")) + raw[place + 1 :]


ODD_KEYS = [
    b'"\\u0000"',
    b'"a\\u0000b"',
    b'"weights\\u0000"',
    b'""',
    b'"a b"',
    b'"\\ud834\\udd1e"',
    b'"\xc3\xa4"',
    b'"1"',
]


def repeat_a_key(source: random.Random, raw: bytes) -> bytes:
    keys = [key for key in (b'"weights"', b'"inputs"', b'"bias"', b'"network"', b'"loss"', b'"target"') if key in raw]
    return raw.replace(source.choice(keys), source.choice([*keys, *ODD_KEYS]), 1)


def replace_a_value(source: random.Random, raw: bytes) -> bytes:
    """Put another kind of value somewhere, if the document is one."""
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, part in parts:
            places.append((value, key))
            waiting += [part] if isinstance(part, dict | list) else []
    value, key = source.choice(places)
    value[key] = source.choice([None, True, 1, 0.5, "S", [], [1, 2], [[1.5]], [[1], [2]], ["S"], {}, {"a": [1]}])
    return json.dumps(document).encode()


def change_nothing(source: random.Random, raw: bytes) -> bytes:
    return raw


MUTATIONS: list[Mutation] = [
    *[replace_a_number] * 4,
    insert_a_piece,
    drop_some_bytes,
    repeat_some_bytes,
    change_a_byte,
    swap_a_bracket,
    swap_a_bracket,
    repeat_a_key,
    change_nothing,
    replace_a_value,
    replace_a_value,
]


def compare_readers(count: int, seed: int) -> Counter[str]:
    """Read mutated bodies by both readers and count those that differ, and those that were read fast."""
    source, counts = random.Random(seed), Counter[str]()
    adapters: list[tuple[TypeAdapter[Any], bytes]] = [
        (TypeAdapter(kind), json.dumps(body, separators=(",", ":")).encode()) for kind, body in BODIES
    ]
    for _ in range(count):
        adapter, raw = source.choice(adapters)
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            raw = source.choice(MUTATIONS)(source, raw)
        counts["read"] += 1
        counts["disagreements"] += outcome(parse_body, adapter, raw) != outcome(read_body, adapter, raw)
        counts["fast"] += is_read_fast(adapter, raw)
    return counts


def test_the_readers_agree_on_mutated_bodies() -> None:
    counts = compare_readers(3000, seed=1)
    assert counts["disagreements"] == 0
    # many of them are sound after all, or else nothing was compared
    assert 0.1 < counts["fast"] / counts["read"] < 0.9


@pytest.mark.slow
def test_the_readers_agree_on_sixty_thousand_mutated_bodies() -> None:
    assert compare_readers(60_000, seed=2)["disagreements"] == 0


@pytest.mark.parametrize(("kind", "body"), BODIES[:-1])
def test_large_bodies_are_read_fast_and_the_same(kind: type, body: Json) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for raw in (json.dumps(body).encode(), json.dumps(body, indent=2).encode()):
        assert len(raw) > FAST_FROM
        assert is_read_fast(adapter, raw)
        assert outcome(parse_body, adapter, raw) == outcome(read_body, adapter, raw)


@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("place", ["weights", "bias", "inputs", "targets", "more inputs"])
def test_every_literal_is_read_alike_in_every_array(literal: bytes, place: str) -> None:
    field = place.rsplit(maxsplit=1)[-1]
    start = {"weights": b'"weights":[[', "bias": b'"bias":[', "targets": b'"targets":['}.get(field, b'"inputs":[[')
    raw = json.dumps(PROBLEM, separators=(",", ":")).encode()
    before, after = raw.split(start, 1)
    rest = after if place == "more inputs" else after[after.index(b",") + 1 :]
    raw = before + start + literal + b"," + rest
    adapter: TypeAdapter[Any] = TypeAdapter(ForwardBody)
    assert outcome(parse_body, adapter, raw) == outcome(read_body, adapter, raw)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2, b" ", b"\x00", b"\xff\xfe"])
def test_what_stands_before_a_large_document_is_read_alike(start: bytes) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ForwardBody)
    raw = start + json.dumps(PROBLEM).encode()
    assert outcome(parse_body, adapter, raw) == outcome(read_body, adapter, raw)


@pytest.mark.parametrize("ids", [["dS_dZ", [1, 2]], [[[1.5]]], [1], [["S"]]])
def test_an_array_in_the_place_of_an_id_is_refused_as_an_array(ids: object) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(JacobiansBody)
    raw = json.dumps(PROBLEM | {"jacobians": ids}).encode()
    assert outcome(parse_body, adapter, raw) == outcome(read_body, adapter, raw)


def test_more_keys_than_the_limit_are_too_many_for_both_readers() -> None:
    layers = [{"weights": [[1]], "bias": [0], "activation": "relu"}] * 6_800
    raw = json.dumps({"network": {"layers": layers}, "inputs": [[1]]}).encode()
    with pytest.raises(BodyError, match="20403 keys"):
        parse_body(TypeAdapter(ForwardBody), raw)


def test_a_small_body_is_left_to_the_reference() -> None:
    assert len(raw := json.dumps(TWO_LAYER_PROBLEM).encode()) < FAST_FROM
    assert isinstance(parse_body(TypeAdapter(ForwardBody), raw), ForwardBody)


KEYS = [b'"k%d":1' % number for number in range(257)]


def test_as_many_keys_as_one_object_may_have_are_not_odd() -> None:
    assert split_json(b"{%s}" % b",".join(KEYS[1:])).document


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":' * 20 + b"1" + b"}" * 20,
        b'{"weights":[[1,2],[3]]}',
        b'{"weights":[[1,[2]],[3,4]]}',
        b'{"weights":[[1],{"a":2}]}',
        b'{"weights":[[1],"[2]"]}',
        b'{"weights":[1,true]}',
        b'{"weights":[1],"weights":[1]}',
        b'{"weights":[1],"text":"["}',
        b'{"answers":[1]}',
        b'{"weights\\u0000":[1]}',
        b'{"":[1]}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"weights":[1]}',
        b"{%s}" % b",".join(KEYS),
        b'{"layers":[%s]}' % b",".join([b'{"size":1}'] * 20_000),
    ],
)
def test_what_might_be_read_differently_is_odd(raw: bytes) -> None:
    with pytest.raises(OddBodyError):
        split_json(raw)
