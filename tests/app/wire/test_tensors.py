"""The binary form of bodies and replies: the same results to the last bit, and no body that lies is computed with."""

import json
import random
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import numpy as np
import pytest
from pydantic import TypeAdapter
from pydantic_core import core_schema

from app.errors import MEDIA_TYPE as PROBLEM_TYPE
from app.errors import BodyError
from app.examples import ARTICLE, ARTICLE_PROBLEM, REGRESSION_PROBLEM, TWO_LAYER_PROBLEM
from app.schemas.compute_bodies import ForwardBody
from app.wire.fields import JsonField
from app.wire.limits import Limits
from app.wire.skeletons import TAKES, OddBodyError
from app.wire.tensors import encode_tensors, parse_tensors
from core.errors import NonFiniteError
from tests.support.tensor_client import (
    HEADERS,
    MEDIA_TYPE,
    from_tensors,
    post_tensors,
    tensor_problem,
    to_tensors,
    with_arrays,
    with_lists,
)

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
ADAPTER: TypeAdapter[ForwardBody] = TypeAdapter(ForwardBody)

BODIES: list[tuple[str, Json]] = [
    ("softmax-layer", ARTICLE),
    ("softmax-layer", ARTICLE | {"target": [0.5, 0.5, 0, 0, 0], "quantities": ["dL_dX", "Z"]}),
    ("forward", TWO_LAYER_PROBLEM),
    ("forward", {key: TWO_LAYER_PROBLEM[key] for key in ("network", "inputs")}),
    ("gradients", ARTICLE_PROBLEM | {"check": True}),
    ("gradients", REGRESSION_PROBLEM),
    ("jacobians", TWO_LAYER_PROBLEM | {"jacobians": ["dL_dW1", "dS_dZ2"]}),
    ("steps", TWO_LAYER_PROBLEM | {"learning_rate": 0.5, "count": 3}),
    ("exercises/audit", {"problem": ARTICLE_PROBLEM, "asks": ["dL_dW"]}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_results_are_those_of_json_to_the_last_bit(client: httpx.AsyncClient, path: str, body: Json) -> None:
    by_json = await client.post(f"/v1/{path}", json=body)
    assert by_json.status_code == 200, by_json.text
    reply = await post_tensors(client, path, to_tensors(with_arrays(body)))
    assert (reply.status_code, reply.headers["content-type"]) == (200, MEDIA_TYPE), reply.content
    assert with_lists(from_tensors(reply.content)) == by_json.json()
    # one form does not bind the other
    mixed = await post_tensors(client, path, to_tensors(with_arrays(body)), Accept="application/json")
    assert mixed.content == by_json.content
    plain = await post_tensors(client, path, json.dumps(body).encode(), **{"Content-Type": "application/json"})
    assert plain.content == reply.content


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
async def test_gradients_that_are_all_zero_are_checked(client: httpx.AsyncClient, dtype: type) -> None:
    layer = {"weights": np.zeros((2, 1), dtype), "activation": "identity"}
    body: Json = {"network": {"layers": [layer]}, "inputs": np.ones((3, 2), dtype), "targets": np.zeros((3, 1), dtype)}
    reply = await post_tensors(client, "gradients", to_tensors(body | {"loss": "squared_error", "check": True}))
    assert reply.status_code == 200, reply.content
    assert from_tensors(reply.content)["check"]["max_rel_error"] == 0.0


async def test_answers_may_be_arrays(client: httpx.AsyncClient) -> None:
    truth = (await client.post("/v1/gradients", json=ARTICLE_PROBLEM)).json()["layers"][0]["grad_weights"]
    answers = {
        "dL_dW": [np.array(row) for row in truth],
        "S": np.array([[np.nan, 1.0]]),
        "Z": np.zeros((0, 2)),
        "L": float("nan"),
        "dL_dZ": [[float("inf"), 0.0]],
        "dL_dX": {"x": np.ones(2)},
    }
    body: Json = {"problem": ARTICLE_PROBLEM, "answers": answers}
    reply = await post_tensors(client, "grades", to_tensors(body), Accept="application/json")
    verdicts = {part["quantity"]: part["verdict"] for part in reply.json()["parts"]}
    wrong = {"S": "not_finite", "Z": "unreadable", "L": "not_finite", "dL_dZ": "not_finite", "dL_dX": "unreadable"}
    assert verdicts == {"dL_dW": "correct"} | wrong
    answers["dL_dW"] = np.array(truth)
    full = await post_tensors(client, "grades", to_tensors(body | {"feedback": "full"}))
    part = from_tensors(full.content)["parts"][0]
    np.testing.assert_array_equal(part["expected"], truth)
    # what is no number is written as ever
    assert part["entries"] == [[True] * 5] * 3


@pytest.mark.parametrize(("dtype", "labels"), [(np.float64, np.int64), (np.float32, np.int32), (np.int32, np.int64)])
def test_other_numbers_are_widened_exactly(dtype: type, labels: type) -> None:
    weights = np.array([[1, -2, 3], [4, 5, 6]], dtype) / (1 if dtype is np.int32 else 7)
    layer = {"weights": weights.astype(dtype), "activation": "softmax"}
    body: Json = {"network": {"layers": [layer]}, "inputs": np.array([[1, 2], [3, 4]], dtype)}
    body |= {"targets": np.array([0, 2], labels), "loss": "cross_entropy"}
    read = parse_tensors(ADAPTER, to_tensors(body))
    assert read.network.layers[0].weights.dtype == np.float64
    np.testing.assert_array_equal(read.network.layers[0].weights, weights.astype(dtype))
    assert read.targets is not None
    assert read.targets.dtype == np.int64


def layer(**changes: object) -> Json:
    return tensor_problem(network={"layers": [tensor_problem()["network"]["layers"][0] | changes]})


def described(**changes: object) -> bytes:
    """Write a body whose inputs are described otherwise than they are."""
    description = {"datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}} | changes
    weights = {"weights": [[1], [1]], "activation": "relu"}
    head = json.dumps({"network": {"layers": [weights]}, "inputs": description}).encode()
    return len(head).to_bytes(8, "little") + head + np.ones(2).tobytes()


GOOD = described()

REFUSED = [
    # frames
    (b"", 400, "", "has 0 bytes"),
    (b"\x01", 400, "", "has 1 byte;"),
    (b"\xff" * 8, 400, "", "needed the length of the head"),
    (GOOD[:-1], 400, "/inputs", "16 bytes is described, the rest of the body has 15"),
    (GOOD + b"\0", 400, "", "found 1 byte behind"),
    (json.dumps(ARTICLE_PROBLEM).encode(), 400, "", "needed the length of the head"),
    (b"PK\x03\x04" + b"\0" * 100, 400, "", "needed the length"),
    # heads
    (b"\0" * 8, 400, "", "not JSON"),
    ((2).to_bytes(8, "little") + b"{]", 400, "", "not JSON"),
    ((12).to_bytes(8, "little") + b'{"a":1,"a":2', 400, "", "not JSON"),
    ((13).to_bytes(8, "little") + b'{"a":1,"a":2}', 400, "", "stands twice"),
    ((11).to_bytes(8, "little") + b'{"a":1e400}', 422, "/a", "not finite"),
    ((9).to_bytes(8, "little") + b'{"a":NaN}', 400, "/a", "found NaN"),
    ((707).to_bytes(8, "little") + b'{"a":[' + b"7" * 699 + b"]}", 422, "/a/0", "not finite"),
    # JSON of five thousand levels is refused as JSON
    ((10_000).to_bytes(8, "little") + b"[" * 5000 + b"]" * 5000, 400, "", "nested too deeply"),
    *(((2 * n).to_bytes(8, "little") + b"[" * n + b"]" * n, 400, "", "nested too deeply") for n in (66, 300, 900)),
    *((described(shape=[[1]] * n), 422, "/inputs", "whole numbers of at least 0") for n in (1, 2)),
    ((9).to_bytes(8, "little") + b'{"a":"\xff"}', 400, "", "UTF-8"),
    # descriptions
    (described(datatype="FP16"), 422, "/inputs", "needed one of FP64"),
    (described(datatype="BYTES"), 422, "/inputs", "needed one of FP64"),
    (described(datatype=["FP64"]), 422, "/inputs", "needed one of FP64"),
    (described(datatype="O"), 422, "/inputs", "needed one of FP64"),
    (described(datatype="FP32"), 422, "/inputs", "has 8 bytes"),
    (described(shape=[2, 2]), 422, "/inputs", "has 32 bytes"),
    (described(shape=[-1, -2]), 422, "/inputs", "whole numbers of at least 0"),
    (described(shape=[True, 2]), 422, "/inputs", "whole numbers of at least 0"),
    (described(shape=[1.0, 2.0]), 422, "/inputs", "whole numbers of at least 0"),
    (described(shape="12"), 422, "/inputs", "whole numbers of at least 0"),
    (described(shape=[1] * 9 + [2]), 422, "/inputs", "whole numbers of at least 0"),
    (described(shape=[2**10, 2**10]), 422, "/inputs", "bytes; its parameters"),
    (described(shape=[2**10, 2**10], parameters={"binary_data_size": 2**23}), 400, "/inputs", "is described"),
    (described(shape=[2**20, 2**20], parameters={"binary_data_size": 2**43}), 422, "/inputs", "more numbers than"),
    (described(shape=[0, 2**62], parameters={"binary_data_size": 0}), 422, "/inputs", "more numbers than the limit"),
    (
        described(shape=[0, 2**64 - 1], parameters={"binary_data_size": 0}),
        422,
        "/inputs",
        "more numbers than the limit",
    ),
    (described(shape=[10**7, 0], parameters={"binary_data_size": 0}), 422, "/inputs", "more numbers than the limit"),
    (described(parameters={"binary_data_size": 8}), 422, "/inputs", "has 16 bytes"),
    (described(parameters={"binary_data_size": "16"}), 422, "/inputs", "has 16 bytes"),
    (described(parameters={"binary_data_size": 16, "allow_pickle": True}), 422, "/inputs", "nothing else"),
    (described(parameters=None), 422, "/inputs", "has 16 bytes"),
    # this describes nothing
    (described(more=1), 400, "", "found 16 bytes behind"),
    # numbers
    (to_tensors(tensor_problem(inputs=np.array([[1, 2, np.nan]]))), 422, "/inputs/0/2", "not finite"),
    (to_tensors(layer(bias=np.array([np.inf, 1], np.float32))), 422, "/network/layers/0/bias/0", "not finite"),
    # values, as in JSON
    (to_tensors(tensor_problem(inputs=np.ones((4, 2)))), 422, "/inputs", "inputs have 2 features"),
    (to_tensors(tensor_problem(inputs=np.ones(3))), 422, "/inputs/0", "found a number, needed an array"),
    (to_tensors(tensor_problem(inputs=np.ones((1, 4, 3)))), 422, "/inputs/0/0", "nested one level too deep"),
    (to_tensors(tensor_problem(inputs=np.float64(1))), 422, "/inputs", "found a number, needed an array"),
    (to_tensors(tensor_problem(inputs=np.ones((0, 3)))), 422, "/inputs", "empty"),
    (to_tensors(tensor_problem(inputs=np.ones((4, 0)))), 422, "/inputs/0", "empty"),
    (to_tensors(layer(bias=np.ones((1, 2)))), 422, "/network/layers/0/bias/0", "nested one level too deep"),
    (to_tensors(layer(bias=np.ones(3))), 422, "/network/layers/0/bias", "the bias has 3 numbers"),
    (to_tensors(layer(activation=np.ones(3))), 422, "/network/layers/0/activation", "found an array that is not"),
    (
        to_tensors(tensor_problem(targets=np.array([0, 1.0, 0.5, 2.5]))),
        422,
        "/targets/2",
        "needed a whole number; a list",
    ),
    (to_tensors(tensor_problem(targets=np.array([0.0, 1e30]))), 422, "/targets/1", "above 2147483647"),
    (to_tensors(tensor_problem(inputs=np.array([[0, 2**53 + 1]]))), 422, "/inputs/0/1", "float64 does not hold"),
    (to_tensors(tensor_problem(inputs=np.array([2**53, -(2**62) - 1]))), 422, "/inputs/1", "float64 does not hold"),
    (to_tensors(tensor_problem(inputs=np.array(2**63 - 1))), 422, "/inputs", "float64 does not hold"),
    (to_tensors(layer(bias=[0, 2**53 + 1])), 422, "/network/layers/0/bias/1", "float64 does not hold"),
    (to_tensors(tensor_problem(targets=np.array([0, 1, 2, 0]))), 422, "/targets/2", "class index of sample 2 is 2"),
    (to_tensors(tensor_problem(targets=np.array([0, 1, 2**40, 0]))), 422, "/targets/2", "above 2147483647"),
    (to_tensors(tensor_problem(targets=np.array([0, -(2**63)]))), 422, "/targets/1", "below -2147483647"),
    (to_tensors(tensor_problem(targets=np.zeros(0, np.int64))), 422, "/targets", "empty"),
    (to_tensors(tensor_problem(targets=np.ones((4, 2)))), 422, "/targets/0", "not a distribution"),
    (to_tensors(tensor_problem(loss=np.ones(2))), 422, "/loss", "found an array"),
    (to_tensors(layer(activation=[np.ones(2)])), 422, "/network/layers/0/activation", "found an array"),
    (to_tensors(tensor_problem(more=np.ones(2))), 422, "/more", "not known"),
    (to_tensors(np.ones(2)), 422, "", "found an array, needed an object"),
]


@pytest.mark.parametrize(("content", "status", "pointer", "message"), REFUSED)
async def test_a_body_that_lies_or_is_wrong_is_refused_where_it_is(
    client: httpx.AsyncClient, content: bytes, status: int, pointer: str, message: str
) -> None:
    reply = await post_tensors(client, "forward", content)
    assert (reply.status_code, reply.headers["content-type"]) == (status, PROBLEM_TYPE), reply.text
    first = reply.json()["errors"][0]
    assert first["pointer"] == pointer
    assert message in first["message"]
    assert len(reply.content) < 8_000


async def test_the_good_one_among_them_is_answered(client: httpx.AsyncClient) -> None:
    assert (await post_tensors(client, "forward", GOOD)).status_code == 200


def test_a_body_holds_no_more_numbers_than_json_may() -> None:
    body = tensor_problem(inputs=np.ones((400, 3)), targets=np.zeros(400, np.int64))
    # 6 + 2 + 1,200 + 400 numbers
    assert parse_tensors(ADAPTER, to_tensors(body), limits=Limits(values=1608)).n_samples == 400
    with pytest.raises(BodyError, match="more numbers than the limit") as caught:
        parse_tensors(ADAPTER, to_tensors(body), limits=Limits(values=1607))
    assert (caught.value.status, caught.value.code) == (422, "too_large")
    head = b'{"network":[' + b"0," * 1999 + b"0]}"
    with pytest.raises(BodyError, match="about 2000 values, the limit is 900"):
        parse_tensors(ADAPTER, len(head).to_bytes(8, "little") + head, limits=Limits(values=900))


def test_what_only_this_form_cannot_place_is_refused_all_the_same() -> None:
    def refuse(array: object) -> object:
        raise OddBodyError

    form = JsonField(core_schema.any_schema(metadata={TAKES: refuse}), {})
    adapter: TypeAdapter[object] = TypeAdapter(Annotated[object, form])
    with pytest.raises(BodyError, match="does not fit its place"):
        parse_tensors(adapter, to_tensors(np.ones(2)))


def test_what_is_not_finite_never_leaves() -> None:
    with pytest.raises(NonFiniteError):
        encode_tensors({"a": np.array([1.0, np.nan])})
    with pytest.raises(NonFiniteError):
        encode_tensors({"a": float("inf")})


def test_numbers_of_numpy_and_arrays_in_other_orders_are_written() -> None:
    content = encode_tensors({"a": np.float64(0.5), "b": np.arange(6.0).reshape(2, 3).T, "c": np.array(2.0)})
    document = from_tensors(content)
    assert document["a"] == 0.5
    assert document["c"] == 2.0
    np.testing.assert_array_equal(document["b"], [[0, 3], [1, 4], [2, 5]])


CHANGES: list[Callable[[random.Random, bytes], bytes]] = [
    lambda source, raw: raw[: source.randrange(len(raw))],
    lambda source, raw: raw + source.randbytes(8),
    lambda source, raw: (place := source.randrange(len(raw))) * b"" + raw[:place] + source.randbytes(1) + raw[place:],
    lambda source, raw: (place := source.randrange(len(raw))) * b"" + raw[:place] + raw[place + 1 :],
    lambda source, raw: (
        (place := source.randrange(len(raw))) * b"" + raw[:place] + source.randbytes(1) + raw[place + 1 :]
    ),
    lambda source, raw: raw.replace(source.choice([b"FP64", b"INT64", b"[", b"8", b"shape"]), b"2", 1),
]


async def test_mutated_bodies_are_answered_or_refused_and_nothing_else(client: httpx.AsyncClient) -> None:
    source, statuses = random.Random(3), set()
    for _ in range(600):
        raw = source.choice(CHANGES)(source, to_tensors(tensor_problem()))
        reply = await post_tensors(client, "gradients", raw)
        statuses.add(reply.status_code)
        if reply.status_code == 200:
            assert all(np.isfinite(array).all() for array in [from_tensors(reply.content)["grad_inputs"]])
    assert statuses == {200, 400, 422}


@pytest.mark.parametrize("head", [rb'{"x":"\ud800"}', rb'{"\ud800":1}', rb'{"inputs":["a\udfff"]}'])
async def test_text_that_is_no_text_is_refused(client: httpx.AsyncClient, head: bytes) -> None:
    content = len(head).to_bytes(8, "little") + head
    reply = await client.post("/v1/forward", content=content, headers=HEADERS)
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, "json")
