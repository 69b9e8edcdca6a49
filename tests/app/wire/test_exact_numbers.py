"""Whole numbers are what they say, in JSON and in binary form: class indices, and numbers that float64 cannot hold."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from app.errors import BodyError
from app.examples import ARTICLE, TWO_LAYER_PROBLEM
from app.schemas.compute_bodies import ForwardBody
from app.schemas.grade_bodies import GradeBody
from app.wire.reading import FAST_FROM, parse_body, read_body
from app.wire.tensors import parse_tensors
from tests.support.readers import LAYER, PROBLEM, SOFTMAX, is_read_fast, outcome
from tests.support.tensor_client import post_tensors, tensor_problem, to_tensors, with_arrays

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
FORWARD: TypeAdapter[ForwardBody] = TypeAdapter(ForwardBody)


@pytest.mark.parametrize(
    ("targets", "status"),
    [([0.0, 3.0, 1.0], 200), ([0, 3.0, 1], 200), ([-0.0, 3e0, 1], 200), ([0.0, 1.5, 1], 422), ([0.0, 1e99, 1], 422)],
)
def test_class_indices_may_be_written_as_floating_point(targets: list[float], status: int) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ForwardBody)
    raw = json.dumps(PROBLEM | {"targets": targets}).encode()
    assert is_read_fast(adapter, raw) == (status == 200)
    assert outcome(parse_body, adapter, raw) == outcome(read_body, adapter, raw)
    if status == 200:
        plain = json.dumps(PROBLEM | {"targets": [0, 3, 1]}).encode()
        assert outcome(parse_body, adapter, raw) == outcome(parse_body, adapter, plain)
    else:
        with pytest.raises(ValidationError):
            parse_body(adapter, raw)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**64 - 1, 10**30, 10**308 + 1])
@pytest.mark.parametrize("place", ["weights", "bias", "inputs", "strength"])
def test_a_whole_number_that_would_be_rounded_to_another_is_refused_where_it_is(place: str, number: int) -> None:
    places: dict[str, tuple[Json, Json, tuple[str | int, ...]]] = {
        "weights": (LAYER | {"weights": [*LAYER["weights"][:-1], [number] * 12]}, {}, (29, 0)),
        "bias": (LAYER | {"bias": [*LAYER["bias"][:-1], number]}, {}, (11,)),
        "inputs": (LAYER, {"inputs": [[*PROBLEM["inputs"][0][:-1], number], *PROBLEM["inputs"][1:]]}, (0, 29)),
        "strength": (LAYER, {"conventions": {"l2": {"strength": abs(number)}}}, ()),
    }
    layer, changes, index = places[place]
    raw = json.dumps(PROBLEM | {"network": {"layers": [layer, SOFTMAX]}} | changes).encode()
    adapter: TypeAdapter[Any] = TypeAdapter(ForwardBody)
    assert len(raw) > FAST_FROM
    for read in (parse_body, read_body):
        with pytest.raises(BodyError) as caught:
            read(adapter, raw)
        above = {"inputs": (), "strength": ("conventions", "l2")}.get(place, ("network", "layers", 0))
        assert (caught.value.status, caught.value.code) == (422, "inexact")
        assert caught.value.path == (*above, place, *index)


@pytest.mark.parametrize(
    "literal", ["9007199254740992", "-18446744073709551616", "9007199254740993.0", "1e22", "1e300"]
)
def test_a_number_that_is_exact_or_that_asks_to_be_rounded_is_read(literal: str) -> None:
    raw = json.dumps(PROBLEM | {"inputs": [["number"] * 30]}).replace('"number"', literal).encode()
    raw = raw.replace(b"[0, 3, 1]", b"[0]")
    for read in (parse_body, read_body):
        body = read(TypeAdapter(ForwardBody), raw)
        assert (body.inputs == float(literal)).all()


def test_whole_numbers_in_answers_are_read_as_float64() -> None:
    answers = {"L": 2**53 + 1, "S": [[2**70 + 1, 0.5]]}
    raw = json.dumps({"problem": PROBLEM, "answers": answers}).encode()
    for read in (parse_body, read_body):
        body = read(TypeAdapter(GradeBody), raw)
        assert body.answers == answers
    raw = json.dumps({"problem": PROBLEM | {"inputs": [[2**53 + 1] * 30] * 3}, "answers": answers}).encode()
    with pytest.raises(BodyError, match="float64 does not hold"):
        parse_body(TypeAdapter(GradeBody), raw)


@pytest.mark.parametrize("small", [True, False])
def test_a_byte_order_mark_before_a_document_is_skipped(small: bool) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ForwardBody)
    raw = json.dumps(TWO_LAYER_PROBLEM if small else PROBLEM).encode()
    marked = b"\xef\xbb\xbf" + raw
    for start in (b"", b" \n"):
        for read in (parse_body, read_body):
            assert outcome(read, adapter, b"\xef\xbb\xbf" + start + raw) == outcome(read, adapter, raw)
    assert is_read_fast(adapter, marked)
    assert outcome(parse_body, adapter, bytearray(marked)) == outcome(parse_body, adapter, raw)
    with pytest.raises(BodyError):
        parse_body(adapter, b"\xef\xbb\xbf" + marked)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int32, np.int64])
async def test_class_indices_may_be_of_any_datatype(client: httpx.AsyncClient, kind: type) -> None:
    expected = await client.post("/v1/gradients", json=TWO_LAYER_PROBLEM)
    body = with_arrays(TWO_LAYER_PROBLEM) | {"targets": np.array(TWO_LAYER_PROBLEM["targets"], kind)}
    reply = await post_tensors(client, "gradients", to_tensors(body), Accept="application/json")
    assert (reply.status_code, reply.content) == (200, expected.content)
    layer = await client.post("/v1/softmax-layer", json=ARTICLE)
    body = with_arrays(ARTICLE) | {"target": np.array(ARTICLE["target"], kind)}
    reply = await post_tensors(client, "softmax-layer", to_tensors(body), Accept="application/json")
    assert (reply.status_code, reply.content) == (200, layer.content)


def test_a_byte_order_mark_before_the_head_is_skipped() -> None:
    content = to_tensors(tensor_problem(inputs=np.ones((4, 3))))
    length = int.from_bytes(content[:8], "little")
    for strength, is_exact in ((b"0.0", True), (b"9007199254740993", False)):
        rest = b', "conventions": {"l2": {"strength": %b}}}' % strength
        head = b"\xef\xbb\xbf" + content[8 : 8 + length].rstrip()[:-1] + rest
        marked = len(head).to_bytes(8, "little") + head + content[8 + length :]
        if is_exact:
            assert parse_tensors(FORWARD, marked).n_samples == 4
        else:
            with pytest.raises(BodyError, match="float64 does not hold"):
                parse_tensors(FORWARD, marked)


def test_whole_numbers_that_float64_holds_are_read_however_large() -> None:
    numbers = [0, 2**53, -(2**53), 2**53 + 2, 2**62 + 2**20, -(2**63), 2**63 - 1024]
    read = parse_tensors(
        FORWARD, to_tensors(tensor_problem(inputs=np.array([numbers[:3], numbers[-3:]]), targets=[0, 1]))
    )
    assert read.inputs.tolist() == [numbers[:3], numbers[-3:]]
