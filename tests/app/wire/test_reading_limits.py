"""How deep a document may be and how long its numbers: to the last level and the last character."""

import json
import random
import string
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from app.errors import BodyError, describe_error
from app.main import create_app
from app.schemas.compute_bodies import StepsBody
from app.schemas.grade_bodies import GradeBody
from app.settings import Settings
from app.wire.limits import MOST_DIGITS, MOST_PARTS, TOKEN, Limits, find_depth, may_hold_long_number, require_bounds
from app.wire.reading import FAST_FROM, LARGE_BYTES, parse_body
from app.wire.tensors import MOST_HEAD_BYTES
from tests.support.tensor_client import MEDIA_TYPE as TENSORS

LIMITS = Limits()
EXERCISE = '"exercise": {"kind": "softmax_forward", "seed": 1}'


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


def as_it_is(content: bytes) -> bytes:
    return content


def nested(levels: int) -> bytes:
    """Write a document of so many levels, whose key is not known."""
    return b'{"x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def layer(number: bytes, width: int = 1) -> bytes:
    """Write the problem of a layer with a number among its weights."""
    rest = b",1" * (width - 1)
    return b'{"network":{"layers":[{"weights":[[%b%b]],"activation":"relu"}]},"inputs":[[1]]}' % (number, rest)


def frame(head: bytes) -> bytes:
    return len(head).to_bytes(8, "little") + head


def code_of(reply: httpx.Response) -> Any:
    return reply.status_code if reply.status_code == 200 else (reply.status_code, reply.json()["errors"][0]["code"])


@pytest.mark.anyio
@pytest.mark.parametrize("send", [as_it_is, in_pieces])
@pytest.mark.parametrize("wrap", [as_it_is, frame])
@pytest.mark.parametrize(("over", "expected"), [(0, (422, "missing")), (1, (400, "too_deep"))])
async def test_a_document_is_as_deep_as_the_limit(
    client: httpx.AsyncClient, send: Any, wrap: Any, over: int, expected: Any
) -> None:
    kind = TENSORS if wrap is frame else "application/json"
    content = wrap(nested(LIMITS.depth + over))
    reply = await client.post("/v1/forward", content=send(content), headers={"Content-Type": kind})
    assert code_of(reply) == expected
    if over:
        assert "more than 64 lists and objects" in reply.json()["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize("send", [as_it_is, in_pieces])
@pytest.mark.parametrize("width", [1, FAST_FROM])
@pytest.mark.parametrize(("over", "expected"), [(0, 200), (1, (400, "number_too_long"))])
async def test_a_number_is_as_long_as_the_limit(
    client: httpx.AsyncClient, send: Any, width: int, over: int, expected: Any
) -> None:
    number = b"0.5".ljust(MOST_DIGITS + over, b"0")
    headers = {"Content-Type": "application/json"}
    reply = await client.post("/v1/forward", content=send(layer(number, width)), headers=headers)
    assert code_of(reply) == expected
    if over:
        assert "1001 characters, the limit is 1000" in reply.json()["detail"]


@pytest.mark.anyio
async def test_a_number_in_a_head_is_as_long_as_the_limit(client: httpx.AsyncClient) -> None:
    for over, expected in [(0, 200), (1, (400, "number_too_long"))]:
        content = frame(layer(b"0.5".ljust(MOST_DIGITS + over, b"0")))
        reply = await client.post("/v1/forward", content=content, headers={"Content-Type": TENSORS})
        assert code_of(reply) == expected


@pytest.mark.anyio
@pytest.mark.parametrize("send", [as_it_is, in_pieces])
@pytest.mark.parametrize(("over", "expected"), [(0, (422, "missing")), (1, (413, "tensor_head_too_large"))])
async def test_the_head_of_a_binary_body_has_as_many_bytes_as_the_limit(
    client: httpx.AsyncClient, send: Any, over: int, expected: Any
) -> None:
    content = frame(b"{}".ljust(MOST_HEAD_BYTES + over))
    reply = await client.post("/v1/forward", content=send(content), headers={"Content-Type": TENSORS})
    assert code_of(reply) == expected
    assert reply.status_code == 422 or str(MOST_HEAD_BYTES) in reply.json()["detail"]


@pytest.mark.parametrize("start", [b"", b"[" * 65])
@pytest.mark.parametrize("unit", [b"a", b"\\n", b"1\\n", b"\\u2212", b"\\\\a"])
def test_text_of_escapes_takes_few_times_its_own_memory(unit: bytes, start: bytes) -> None:
    raw = b'{"x":"%b%b\\t"}' % (start, unit * (2**20 // len(unit)))
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError):
            parse_body(TypeAdapter(GradeBody), raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # the pattern that goes back held 125 times as much
    assert peak < 30 * len(raw)


@pytest.mark.parametrize("size", [0, LARGE_BYTES])
@pytest.mark.parametrize(
    "known", ["", '"count": 1e400, ', '"learning_rate": 1%s, ' % ("0" * 99), '"loss": "\\ud800", ']
)
def test_the_keys_of_a_body_are_looked_at_whatever_its_size(size: int, known: str) -> None:
    layer = f'{{"weights": [[1.5{", 1.5" * (size // 5)}]], "activation": "softmax"}}'
    body = f'{{{known}"netwrk": 1, "network": {{"layers": [{layer}]}}}}'.encode().ljust(size)
    with pytest.raises((BodyError, ValidationError)) as wrong:
        parse_body(TypeAdapter(StepsBody), body)
    pointers = {item.pointer for item in describe_error(wrong.value).errors}
    assert {"/inputs", "/netwrk"} <= pointers or "ud800" in known


@pytest.mark.anyio
@pytest.mark.parametrize("levels", [63, 64, 65, 300, 30_000])
@pytest.mark.parametrize("wrap", [as_it_is, frame])
async def test_an_answer_that_is_too_deep_is_unreadable(client: httpx.AsyncClient, levels: int, wrap: Any) -> None:
    answers = '{"S": ' + "[" * levels + '{"a": [1]}' + "]" * levels + ', "Z": 1}'
    content = wrap(f'{{{EXERCISE}, "answers": {answers}}}'.encode())
    kind = TENSORS if wrap is frame else "application/json"
    reply = await client.post("/v1/grades", content=content, headers={"Content-Type": kind})
    assert {part["quantity"]: part["verdict"] for part in reply.json()["parts"]} == {
        "S": "unreadable",
        "Z": "wrong_shape",
    }


@pytest.mark.anyio
@pytest.mark.parametrize("number", ["1e-999999999" + "9" * 1000, "0.5" + "0" * 2000, "9" * 5000, "-" + "9" * 5000])
async def test_an_answer_that_is_too_long_is_read_as_float64(client: httpx.AsyncClient, number: str) -> None:
    replies = []
    for answer in (number, f'"{number}"'):
        content = f'{{{EXERCISE}, "answers": {{"S": [[{number}]], "Z": {answer}}}}}'.encode()
        replies.append(await client.post("/v1/grades", content=content, headers={"Content-Type": "application/json"}))
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json() == replies[1].json()
    assert "unreadable" not in replies[0].text


@pytest.mark.anyio
async def test_a_line_of_bulk_is_within_the_same_limits(client: httpx.AsyncClient) -> None:
    deep = b'{"answers": {"S": ' + b"[" * 99 + b"]" * 99 + b"}, " + EXERCISE.encode() + b"}"
    content = b"\n".join([deep, nested(65), layer(b"1" * 1001)])
    reply = await client.post("/v1/grades/bulk", content=content, headers={"Content-Type": "application/jsonl"})
    first, *others, _ = map(json.loads, reply.text.splitlines())
    assert first["grade"]["parts"][1]["verdict"] == "unreadable"
    assert [line["problem"]["errors"][0]["code"] for line in others] == ["too_deep", "number_too_long"]


@pytest.mark.anyio
async def test_the_depth_is_a_setting_and_the_other_limits_are_not() -> None:
    app = create_app(Settings.model_construct(max_depth=20))
    transport = httpx.ASGITransport(app)
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        for content, code in [
            (nested(20), "missing"),
            (nested(21), "too_deep"),
            (layer(b"1." + b"1" * 998), 200),
            (layer(b"1." + b"1" * 999), "number_too_long"),
        ]:
            found = code_of(await client.post("/v1/forward", content=content))
            assert found == code or found[1] == code
        reply = await client.post("/v1/forward", content=frame(b" " * (1024**2 + 1)), headers={"Content-Type": TENSORS})
        assert code_of(reply) == (413, "tensor_head_too_large")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"x": "' + b"[" * 100 + b'"}',
        b'{"x": "\\"' + b"[" * 100 + b'"}',
        b'{"x": "' + b"9" * 2000 + b'"}',
        b'{"x": "\\\\", "y": "' + b"[" * 99 + b"e" * 2000 + b'"}',
        b"[" + b"[]," * 200 + b"[]]",
        b"",
    ],
)
def test_text_and_many_small_lists_are_neither_deep_nor_long(raw: bytes) -> None:
    assert require_bounds(raw, LIMITS) == raw


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[" * 65, "too_deep"),
        (b'{"answers": {"S": ' + b"[" * 65, "too_deep"),
        (b'{"answers": ' + b"9" * 1001 + b"}", "number_too_long"),
        (b'{"answers": {}, "x": {"y": ' + b"9" * 1001 + b"}}", "number_too_long"),
        (b'{"problem": {"answers": ' + b"[" * 70 + b"]" * 70 + b"}}", "too_deep"),
        (b"9" * 1001, "number_too_long"),
        (b"[" + b"[]," * MOST_PARTS + b"1]", "too_large"),
        (b"[" + b'"a",' * MOST_PARTS + b"1]", "too_large"),
    ],
)
def test_what_is_deep_or_long_outside_answers_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(BodyError) as caught:
        require_bounds(raw, LIMITS)
    assert caught.value.code == code


def test_what_is_no_number_is_left_for_the_reader_to_say() -> None:
    raw = b'{"answers": {"S": ' + b"-" * 1001 + b"}}"
    assert require_bounds(raw, LIMITS) == raw


@pytest.mark.parametrize("part", [b"[],", b'"a",'])
def test_as_many_parts_as_the_limit_are_read(part: bytes) -> None:
    raw = b"[" + part * (MOST_PARTS - 1) + b"1]"
    assert require_bounds(raw, LIMITS) == raw


def depth_of(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth_of, parts), default=0)


def draw(source: random.Random, levels: int) -> object:
    """Draw a document."""
    kind = source.randrange(4 if levels else 2)
    if kind == 0:
        return "".join(source.choices(string.printable + '[]{}"\\', k=source.randrange(9)))
    if kind == 1:
        return source.choice([0, -1.5e-7, 10 ** source.randrange(60)])
    parts = [draw(source, levels - 1) for _ in range(source.randrange(4))]
    return parts if kind == 2 else {f"{source.choice(['answers', 'x'])}{n or ''}": part for n, part in enumerate(parts)}


def test_depth_and_length_are_those_that_a_parser_finds() -> None:
    source = random.Random(5)
    longest = {True: 0, False: 0}
    for _ in range(3_000):
        raw = json.dumps(draw(source, 8), ensure_ascii=source.random() < 0.5).encode()
        assert find_depth(raw) == depth_of(json.loads(raw))
        numbers = [len(token) for token in TOKEN.findall(raw) if token[:1].isdigit() or token[:1] == b"-"]
        for digits in (2, 5, 33, 40):
            is_long = max(numbers, default=0) > digits
            longest[is_long] += 1
            assert may_hold_long_number(raw, digits) or not is_long
    assert min(longest.values()) > 100
