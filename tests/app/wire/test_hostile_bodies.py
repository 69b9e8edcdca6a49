"""A corpus of bodies that should not have been sent: each gets one clear refusal, and nothing of it comes back.

A case is the body, the status, the pointer of the first error, and a piece of its message.
"""

import json
import re

import httpx
import pytest

from app.errors import MEDIA_TYPE
from app.examples import ARTICLE, ARTICLE_PROBLEM, REGRESSION_PROBLEM, TWO_LAYER_PROBLEM
from tests.support.hostile_marking import CANARY, MARKING

pytestmark = pytest.mark.anyio


def article(**changes: object) -> bytes:
    return json.dumps(ARTICLE | changes).encode()


def problem(**changes: object) -> bytes:
    return json.dumps(TWO_LAYER_PROBLEM | changes).encode()


def article_problem(**changes: object) -> bytes:
    return json.dumps(ARTICLE_PROBLEM | changes).encode()


def layers(*changes: dict[str, object]) -> bytes:
    pairs = zip(TWO_LAYER_PROBLEM["network"]["layers"], changes, strict=False)
    return problem(network={"layers": [layer | change for layer, change in pairs]})


def raw(weights: str) -> bytes:
    return f'{{"weights": {weights}, "inputs": [1], "target": 0}}'.encode()


SOFTMAX_LAYER = [
    # not JSON at all
    (b"", 400, "", "not JSON"),
    (b"{", 400, "", "line 1, column 2"),
    (b"weights=1&inputs=2", 400, "", "not JSON"),
    (b"{'weights': [[1]]}", 400, "", "not JSON"),
    (b'{"weights": [[1]],}', 400, "", "not JSON"),
    (b'{"weights": [[1]]} {"weights": [[1]]}', 400, "", "Extra data"),
    (b'{"weights": [[01]]}', 400, "", "not JSON"),
    (b'{"weights": [[.5]]}', 400, "", "not JSON"),
    (b'{"weights": [[0x10]]}', 400, "", "not JSON"),
    (b'{"weights": [[1_000]]}', 400, "", "not JSON"),
    (b'{"weights": [[1]], "inputs": // [1]\n}', 400, "", "not JSON"),
    (b"\x00", 400, "", "not JSON"),
    (b'{"weights": "\\ud800"}', 400, "", "JSON"),
    (b"[" * 100_000, 400, "", "nested"),
    (b'{"weights": ' + b"[" * 500 + b"1" + b"]" * 500 + b"}", 400, "", "more than 64 lists and objects"),
    # wrong encodings
    (json.dumps(ARTICLE).encode("utf-16"), 400, "", "not UTF-8"),
    (json.dumps(ARTICLE).encode("utf-32"), 400, "", "UTF-8"),
    (b"\xef\xbb\xbf" * 2 + json.dumps(ARTICLE).encode(), 400, "", "line 1, column 1"),
    (b'{"weights": "\xff"}', 400, "", "byte 13 is not UTF-8"),
    # bare words that Python's json writes
    (raw("[[NaN]]"), 400, "/weights/0/0", "found NaN"),
    (raw("[[1, Infinity]]"), 400, "/weights/0/1", "found Infinity"),
    (raw("[[1], [-Infinity]]"), 400, "/weights/1/0", "found -Infinity"),
    (b"NaN", 400, "", "found NaN"),
    (b"[" * 5000 + b"NaN" + b"]" * 5000, 400, "", "nested"),
    # keys
    (b'{"weights": [[1]], "weights": [[2]], "inputs": [1], "target": 0}', 400, "", 'the key "weights" stands twice'),
    (f'{{"{CANARY} \\u0000": 1, "{CANARY} \\u0000": 2}}'.encode(), 400, "", "this key stands twice"),
    (b'{"weights": [[1]], "w\\u0065ights": [[2]], "inputs": [1], "target": 0}', 400, "", 'the key "weights" stands'),
    (b'{"inputs": [1], "a:\\"b:": {"x": 1, "x": {}}, "target": 0}', 400, "", 'the key "x" stands twice'),
    (article(wieghts=1), 422, "/wieghts", '"wieghts" is not known here'),
    (article(**{CANARY * 50: 1}), 422, "", "not known"),
    (article(**{"a/b~c": 1}), 422, "/a~1b~0c", "not known"),
    (article(ключ=1), 422, "", "not known"),
    (b"{}", 422, "/weights", '"weights" is required'),
    (b"[]", 422, "", "found an array, needed an object"),
    (b"null", 422, "", "found null, needed an object"),
    (b'"text"', 422, "", "found a string, needed an object"),
    (b"1", 422, "", "found a number, needed an object"),
    (b'{"a": "' + b'\\"' * 100_000, 400, "", "not JSON"),
    (b"{" + b",".join(b'"k%d":1' % n for n in range(30_000)) + b"}", 422, "", "30000 keys, the limit is 20000"),
    (b'{"x": 1e400,' + b",".join(b'"k%d":1' % n for n in range(30_000)) + b"}", 422, "", "30001 keys, the limit is"),
    (b"[" + b"1," * 4_000_000 + b"1]", 422, "", "4000001 values, the limit is 4000000"),
    # numbers that are not, or do not fit
    (raw("[[1e400]]"), 422, "/weights/0/0", "float64 cannot hold"),
    (raw("[[-1e999]]"), 422, "/weights/0/0", "float64 cannot hold"),
    (raw("[[" + "9" * 400 + "]]"), 422, "/weights/0/0", "float64 cannot hold"),
    (raw("[[" + "9" * 1000 + "]]"), 422, "/weights/0/0", "float64 cannot hold"),
    (raw("[[" + "9" * 5000 + "]]"), 400, "", "5000 characters, the limit is 1000"),
    (raw('[["1"]]'), 422, "/weights/0/0", "found a string, needed a number"),
    (raw("[[true]]"), 422, "/weights/0/0", "found a boolean, needed a number"),
    (raw("[[null]]"), 422, "/weights/0/0", "found null, needed a number"),
    (raw("[[{}]]"), 422, "/weights/0/0", "found an object, needed a number"),
    (raw("[[[1]]]"), 422, "/weights/0/0", "nested one level too deep"),
    (raw("[1]"), 422, "/weights/0", "found a number, needed an array: an array of rows"),
    (raw("1"), 422, "/weights", "found a number, needed an array"),
    # whole numbers that would be rounded to others
    (raw("[[1, 9007199254740993]]"), 422, "/weights/0/1", "float64 does not hold"),
    (article(inputs=[0.1, -(2**64) + 1, 0.4]), 422, "/inputs/1", "float64 does not hold"),
    (raw("[[" + "9" * 300 + "]]"), 422, "/weights/0/0", "float64 does not hold"),
    (article(bias=[0, 0, 0, 2**70 + 1, 0]), 422, "/bias/3", "float64 does not hold"),
    # shapes
    (raw("[]"), 422, "/weights", "empty"),
    (raw("[[]]"), 422, "/weights/0", "empty"),
    (raw("[[1, 2], [3]]"), 422, "/weights/1", "row 1 has 1 number, row 0 has 2"),
    (article(inputs=[0.1, 0.5]), 422, "/inputs", "2 features, weights of the first layer have 3 rows"),
    (article(inputs=[[0.1, 0.5, 0.4]]), 422, "/inputs/0", "needed a number"),
    (article(bias=[0.0]), 422, "/bias", "1 number, the weights have 5 columns"),
    (article(bias=None), 422, "/bias", "found null, needed an array"),
    # targets
    (article(target=5), 422, "/target", "needed 0 to 4"),
    (article(target=-1), 422, "/target", "needed 0 to 4"),
    (article(target=2.5), 422, "/target", "needed a whole number; a number here is a class index"),
    (article(target=5.0), 422, "/target", "needed 0 to 4"),
    (article(target=1e30), 422, "/target", "above 2147483647"),
    (article(target=True), 422, "/target", "found a boolean"),
    (article(target="2"), 422, "/target", "found a string"),
    (article(target=None), 422, "/target", "found null"),
    (article(target=10**30), 422, "/target", "above 2147483647"),
    (article(target=[]), 422, "/target", "empty"),
    (article(target=[0.5, 0.5]), 422, "/target", "2 columns, the last layer has 5 outputs"),
    (article(target=[0.5, 0.5, 0.5, 0, 0]), 422, "/target", "its sum is 1.5"),
    (article(target=[1.5, -0.5, 0, 0, 0]), 422, "/target", "negative"),
    # quantities
    (article(quantities=[]), 422, "/quantities", "needed at least one"),
    (article(quantities="Z"), 422, "/quantities", "needed an array"),
    (article(quantities=[1]), 422, "/quantities/0", "needed a string"),
    (article(quantities=["Z", CANARY]), 422, "/quantities/1", "not a quantity id"),
    (article(quantities=["Z", "Z"]), 422, "/quantities/1", "Z is asked for twice"),
    (article(quantities=["S", "dS_dZ", "A1"]), 422, "/quantities/2", "S is asked for twice"),
    (article(quantities=["Z2"]), 422, "/quantities/0", "found layer 2, the network has 1"),
    (article(quantities=["dZ_dS"]), 422, "/quantities/0", "S is not upstream of Z"),
    (article(quantities=["dL_dW" + "9" * 5000]), 422, "/quantities/0", "not a quantity id"),
]

GRADIENTS = [
    (problem(network={"layers": []}), 422, "/network/layers", "needs at least one"),
    (layers({"weights": [[1.0], [1.0]]}, {}), 422, "/network/layers/0/bias", "3 numbers, the weights have 1 column;"),
    (layers({"bias": None}, {}), 422, "/network/layers/0/bias", "found null"),
    (layers({}, {"weights": [[1.0, 2.0]]}), 422, "/network/layers/1/weights", "gives 3 outputs"),
    (layers({"activation": "softsin"}, {}), 422, "/network/layers/0/activation", '"sigmoid", "tanh"'),
    (layers({"activation": ["relu"]}, {}), 422, "/network/layers/0/activation", "found an array"),
    (layers({}, {"activation": "sigmoid"}), 422, "/loss", "cross_entropy needs softmax outputs"),
    (problem(loss="hinge"), 422, "/loss", '"cross_entropy"'),
    (problem(loss=None), 422, "/loss", "found null"),
    (problem(targets=[0, 1]), 422, "/targets", "2 samples, inputs have 3"),
    (problem(targets=[0, 1, 2]), 422, "/targets/2", "needed 0 to 1"),
    (problem(targets=[0, 1, 0.5]), 422, "/targets/2", "needed a whole number; a list here holds class indices"),
    (problem(targets=[0.0, 1.0, 2.0]), 422, "/targets/2", "needed 0 to 1"),
    (problem(targets=[[1, 0], [0, 1], [0.5, 0.6]]), 422, "/targets/2", "its sum is 1.1"),
    (problem(targets=[[1], [0, 1], [1]]), 422, "/targets/1", "row 1 has 2 numbers"),
    (problem(targets=[[1, 0], [0, 1], 1]), 422, "/targets/2", "found a number, needed an array"),
    (problem(targets=[0, [1], 1]), 422, "/targets/1", "found an array, needed a whole number"),
    (problem(targets={}), 422, "/targets", "found an object, needed an array"),
    (problem(inputs=[[1.0], [2.0], [3.0]]), 422, "/inputs", "1 feature, weights of the first layer have 2 rows"),
    (problem(check="yes"), 422, "/check", "found a string, needed true or false"),
    (problem(check=1), 422, "/check", "found a number, needed true or false"),
    (
        problem(conventions={"reduction": "median"}),
        422,
        "/conventions/reduction",
        '"mean", "sum" or "mean_over_entries"',
    ),
    (problem(conventions={"reduction": "mean_over_entries"}), 422, "/conventions/reduction", "needed one of squared"),
    (problem(conventions={"column_order": "F"}), 422, "/conventions/column_order", '"columns_first" or "rows_first"'),
    (problem(conventions={"relu_at_zero": 0.25}), 422, "/conventions/relu_at_zero", "needed 0, 1 or 0.5"),
    (problem(conventions={"relu_at_zero": "1"}), 422, "/conventions/relu_at_zero", "found a string"),
    (problem(conventions={"relu_at_zero": True}), 422, "/conventions/relu_at_zero", "found a boolean"),
    (problem(conventions={"l2": {"per_sample": 1}}), 422, "/conventions/l2/per_sample", "needed true or false"),
    (problem(conventions={"log_base": 3}), 422, "/conventions/log_base", '"e", 2 or 10'),
    (problem(conventions={"log_base": True}), 422, "/conventions/log_base", '"e", 2 or 10'),
    (problem(conventions={"l2": {"strength": -1}}), 422, "/conventions/l2/strength", "at least 0"),
    (problem(conventions={"l2": {"strength": 1e999}}), 400, "/conventions/l2/strength", "Infinity"),
    (problem(conventions={"l2": {"factor": 2}}), 422, "/conventions/l2/factor", "needed 0.5 or 1"),
    (problem(conventions={"l2": {"factor": True}}), 422, "/conventions/l2/factor", "found a boolean"),
    (problem(conventions={"l2": 0.1}), 422, "/conventions/l2", "needed an object"),
    (problem(conventions=None), 422, "/conventions", "found null, needed an object"),
    (
        json.dumps(REGRESSION_PROBLEM | {"conventions": {"log_base": 2}}).encode(),
        422,
        "/conventions/log_base",
        "has no logarithm",
    ),
    (json.dumps(REGRESSION_PROBLEM | {"targets": [0, 0]}).encode(), 422, "/targets", "need softmax outputs"),
    (json.dumps(REGRESSION_PROBLEM | {"inputs": [[1e308, 1e308]] * 2}).encode(), 422, "", "does not fit float64"),
]

OTHERS = [
    ("jacobians", article_problem(jacobians=["Z"]), 422, "/jacobians/0", "not a derivative"),
    ("jacobians", article_problem(jacobians=["dS_db"]), 422, "/jacobians/0", "has no bias"),
    ("jacobians", article_problem(), 422, "/jacobians", "required"),
    ("jacobians", problem(jacobians=["dL_dX"], loss="cross_entropy", targets=None), 422, "/targets", "found null"),
    ("forward", problem(loss="cross_entropy").replace(b'"targets": [0, 1, 1], ', b""), 422, "/targets", "loss without"),
    ("forward", article_problem(jacobians=["dS_dW"]), 422, "/jacobians", "not known"),
    ("steps", problem(learning_rate=-0.1, count=1), 422, "/learning_rate", "negative one climbs"),
    ("steps", problem(learning_rate="0.1", count=1), 422, "/learning_rate", "found a string"),
    ("steps", problem(learning_rate=0.1, count=-1), 422, "/count", "at least 0"),
    ("steps", problem(learning_rate=0.1, count=1.5), 422, "/count", "without a decimal point"),
    ("steps", problem(learning_rate=0.1, count=10**999), 422, "/count", "above 2147483647"),
    ("steps", problem(learning_rate=0.1, count=10**9), 422, "/count", "multiply-adds"),
    ("steps", problem(learning_rate=1e308, count=9), 422, "/learning_rate", "smaller learning_rate"),
]

CORPUS = [
    *(("softmax-layer", *case) for case in SOFTMAX_LAYER),
    *(("gradients", *case) for case in GRADIENTS),
    *OTHERS,
    *MARKING,
]


@pytest.mark.parametrize(("endpoint", "body", "status", "pointer", "message"), CORPUS)
async def test_a_wrong_body_is_refused_at_the_right_place_with_a_reason(
    client: httpx.AsyncClient, endpoint: str, body: bytes, status: int, pointer: str, message: str
) -> None:
    reply = await client.post(f"/v1/{endpoint}", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == MEDIA_TYPE
    document = reply.json()
    assert set(document) == {"type", "title", "status", "detail", "errors", "request_id"}
    first, *others = document["errors"]
    assert first["pointer"] == pointer
    # one fault is reported once: no other error stands at a part or the whole of the same thing
    assert not [
        error for error in others if error["pointer"].startswith(pointer) or pointer.startswith(error["pointer"])
    ]
    assert message in first["message"]
    assert not re.search(r"(found|has|have|gives) 1 \w+s\b", first["message"])
    assert document["detail"].endswith(": ".join(filter(None, [first["pointer"], first["message"]])))
    assert len(reply.content) < 8_000
    assert CANARY not in reply.text
    assert not re.search(r"\b(null|NaN|Infinity)\b", re.sub(r'"[^"]*"', "", reply.text))


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 60


async def test_two_hundred_thousand_wrong_numbers_get_a_short_answer(client: httpx.AsyncClient) -> None:
    body = (
        b'{"weights": [' + b",".join([b'["a"]'] * 50_000) + b'], "inputs": [' + b'"b",' * 100_000 + b'1], "target": 0}'
    )
    reply = await client.post("/v1/softmax-layer", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/weights/0/0", "/inputs/0"]


async def test_at_most_twenty_errors_are_listed(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/softmax-layer", json=ARTICLE | {f"key{n}": n for n in range(50)})
    assert len(reply.json()["errors"]) == 20
    assert reply.json()["detail"].startswith("50 errors, the first: ")
