"""Small requests for too much: each body has at most 64 KiB, and would take gigabytes or minutes if it were let.

What exceeds the budget is refused from shapes. What only looks as if it did is answered, and holds no more
than its numbers: mistakes that are looked for have shapes of their own, steps go through every layer, and
bulk lines share what is kept for them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from tests.support.tensor_client import MEDIA_TYPE as TENSORS

Json = dict[str, Any]

LARGEST_BODY = 64 * 1024
JSON = "application/json"
LINES = "application/jsonl"

HUGE = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Bomb:
    """One such request.

    Parameters
    ----------
    name : str
    path : str
    body : bytes
    status : int
        That of the reply.
    media_type : str
        That of the body.
    """

    name: str
    path: str
    body: bytes
    status: int = 422
    media_type: str = JSON


def rows(n_rows: int, n_columns: int) -> list[list[int]]:
    """Return an array of ones."""
    return [[1] * n_columns] * n_rows


def problem(
    *widths: int, n_samples: int = 1, hidden: str = "relu", last: str = "softmax", loss: bool = True, **more: object
) -> Json:
    """Return a problem with layers of these widths."""
    pairs = list(pairwise(widths))
    names = [hidden] * (len(pairs) - 1) + [last]
    layers = [{"weights": rows(*pair), "activation": name} for pair, name in zip(pairs, names, strict=True)]
    classes = {"targets": [0] * n_samples, "loss": "cross_entropy"} if last == "softmax" else {}
    numbers = {"targets": rows(n_samples, widths[-1]), "loss": "squared_error"}
    targets = (classes or numbers) if loss else {}
    return {"network": {"layers": layers}, "inputs": rows(n_samples, widths[0])} | targets | more


def dump(body: object) -> bytes:
    """Write a body as JSON, without spaces."""
    return json.dumps(body, separators=(",", ":")).encode()


def frame(head: bytes, arrays: bytes = b"") -> bytes:
    """Write a body in binary form."""
    return len(head).to_bytes(8, "little") + head + arrays


def described(*shape: int, datatype: str = "INT32") -> Json:
    """Describe an array of zeros of four bytes each."""
    size = 4
    for extent in shape:
        size *= extent
    return {"datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def of_json(path: str, *cases: tuple[str, object], status: int = 422) -> list[Bomb]:
    """Return bombs at one path; bodies that are bytes are sent as they are."""
    return [
        Bomb(
            name=f"{path}: {name}",
            path=f"/v1/{path}",
            body=body if isinstance(body, bytes) else dump(body),
            status=status,
        )
        for name, body in cases
    ]


def of_tensors(path: str, *cases: tuple[str, bytes], status: int = 422) -> list[Bomb]:
    """Return bombs in binary form at one path."""
    return [
        Bomb(name=f"{path} in binary: {name}", path=f"/v1/{path}", body=body, status=status, media_type=TENSORS)
        for name, body in cases
    ]


def of_lines(name: str, *lines: bytes, status: int = 200) -> Bomb:
    """Return a bomb of lines."""
    return Bomb(name=name, path="/v1/grades/bulk", body=b"\n".join(lines), status=status, media_type=LINES)


def jacobian_ids(depth: int) -> list[str]:
    """Name the Jacobians of all activations by all weights, and pre-activations, below them."""
    return [f"dA{of}_d{symbol}{by}" for of in range(1, depth + 1) for by in range(1, of + 1) for symbol in "WZ"]


WIDE = problem(1, 15_000)
MANY = problem(1, 10_000, n_samples=5_000)
DEEP = problem(*[1] * 900)
LINEAR = problem(*[1] * 41, last="identity", loss=False)
SMALL = problem(2, 2)
ANY = {"problem": SMALL, "answers": {"L": 1}}

REFUSED = [
    *of_json(
        "softmax-layer",
        ("every quantity of a wide layer", {"weights": rows(1, 15_000), "inputs": [1], "target": 0}),
        ("a square", {"weights": rows(170, 170), "inputs": [1] * 170, "target": 0, "quantities": ["dS_dW"]}),
        ("ids", {"weights": rows(1, 2000), "inputs": [1], "target": 0, "quantities": ["dS_dZ", "dZ_dX", "dS_dW"]}),
    ),
    *of_json("forward", ("samples by outputs", MANY), ("layers by samples", problem(*[1] * 700, n_samples=6_000))),
    *of_json(
        "gradients",
        ("samples by outputs", MANY),
    ),
    *of_json(
        "jacobians",
        ("outputs by outputs", WIDE | {"jacobians": ["dS_dZ"]}),
        ("many samples", problem(1, 100, n_samples=9_000) | {"jacobians": ["dS_dW"]}),
        ("a wide layer on the way", problem(1, 7_000, 2) | {"jacobians": ["dA1_dX"]}),
        ("two that fit alone", problem(1, 1_450) | {"jacobians": ["dS_dZ", "dS_dW"]}),
        ("many ids of many layers", LINEAR | {"jacobians": jacobian_ids(40)}),
        ("one id many times", LINEAR | {"jacobians": ["dA40_dX"] * 5_000}),
    ),
    *of_json(
        "steps",
        ("many", SMALL | {"learning_rate": 0.1, "count": HUGE}),
        ("many through many layers", DEEP | {"learning_rate": 0.1, "count": 40}),
        ("samples by outputs", MANY | {"learning_rate": 0.1, "count": 0}),
    ),
    *of_json(
        "solutions",
        ("outputs by outputs", {"problem": WIDE, "quantities": ["dS_dZ"]}),
        ("samples by outputs", {"problem": MANY}),
        ("many layers", {"problem": DEEP}),
        ("many ids of many layers", {"problem": problem(*[1] * 33, loss=False), "quantities": jacobian_ids(31)}),
        ("a wide layer on the way", {"problem": problem(1, 7_000, 2), "quantities": ["dA1_dX"]}),
        ("an entry of many numbers", {"problem": problem(1, 4_000)}),
        ("many entries", {"problem": SMALL, "entry": {f"Z{n}": [0] for n in range(4_000)}}),
    ),
    *of_json(
        "grades",
        ("outputs by outputs", {"problem": WIDE, "asks": ["dS_dZ"], "answers": {}}),
        ("an answer of outputs by outputs", {"problem": WIDE, "answers": {"dS_dW": "0"}}),
        ("samples by outputs", {"problem": MANY, "answers": {"L": 1}}),
        ("many parts of many layers", {"problem": LINEAR, "answers": dict.fromkeys(jacobian_ids(40), 1)}),
        ("parts that no network has", {"problem": SMALL, "answers": {f"Z{n}": 1 for n in range(1, 5_000)}}),
        ("many weights", ANY | {"policy": {"weights": {f"Z{n}": 1 for n in range(5_000)}}}),
        ("a long mistake", ANY | {"policy": {"mistakes": {"a" * 60_000: 1}}}),
        ("unknown keys", ANY | {f"k{n}": 1 for n in range(5_000)}),
    ),
    *of_json(
        "exercises/audit",
        ("outputs by outputs", {"problem": problem(1, 300), "asks": ["dS_dZ"]}),
        ("many layers", {"problem": DEEP, "asks": ["L"]}),
        ("many asks", {"problem": problem(*[1] * 21, loss=False), "asks": jacobian_ids(20)}),
        ("samples by outputs", {"problem": MANY, "asks": ["L"]}),
    ),
    *of_json(
        "exercises/weight_gradients/tokens",
        ("unknown keys", {"seed": 1, "feedback": "hint", "expires_in": 60} | {f"k{n}": 1 for n in range(5_000)}),
        ("a seed of many digits", b'{"seed":%b}' % (b"9" * 900)),
    ),
    *of_tensors(
        "forward",
        ("terabytes described", frame(dump({"network": {"layers": []}, "inputs": described(10**6, 10**6)}))),
        ("extents that overflow", frame(dump({"inputs": described(2**63, 2**63, 4)}))),
        ("a long axis of nothing", frame(dump({"inputs": described(10**9, 0)}))),
    ),
    *of_tensors(
        "forward",
        ("a head longer than memory", b"\xff" * 8 + b"{}"),
        ("more than there is", frame(dump({"inputs": described(1_000, 1_000)}))),
        status=400,
    ),
    *of_tensors(
        "jacobians",
        (
            "outputs by outputs",
            frame(
                dump(
                    {
                        "network": {
                            "layers": [{"weights": described(1, 15_000, datatype="FP32"), "activation": "softmax"}]
                        },
                        "inputs": [[1]],
                        "jacobians": ["dS_dZ"],
                    }
                ),
                bytes(60_000),
            ),
        ),
    ),
    *of_json(
        "forward",
        ("brackets", b"[" * 60_000),
        ("objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        ("not a number, often", b'{"inputs":[[' + b"NaN," * 15_000 + b"1]]}"),
        ("a key twice behind many", b"{" + b'"a":"\\u0041",' * 4_000 + b'"b":1}'),
        ("an unfinished string of escapes", b'{"a":"' + b"\\" * 59_999),
        status=400,
    ),
    *of_json(
        "gradients",
        ("layers that are none", {"network": {"layers": [{}] * 20_000}, "inputs": [[1]]}),
        ("empty rows", {"network": {"layers": [{"weights": [[]] * 20_000, "activation": "relu"}]}}),
        ("numbers that overflow", b'{"inputs":[[' + b"1e400," * 10_000 + b"1]]}"),
    ),
    of_lines("defaults that are nested", b'{"defaults":' * 5_000, b"{}\n", status=400),
]
"""What is over the budget, or cannot be read."""


def asked(ids: Iterable[str], count: int) -> list[bytes]:
    """Return lines that ask for different quantities each."""
    several = [some for size in range(1, 4) for some in combinations(ids, size)]
    return [dump({"asks": some, "answers": {"L": 1.23, "dL_dX": [[1]]}}) for some in several[:count]]


# rows of digits whose own loss gradient is right, so that what follows from it is looked for
FOLLOWED = [[n * m % 9 + 1 for m in range(5)] for n in range(500)]
FOLLOWING = problem(5, 500, 5, n_samples=500, hidden="identity", last="identity") | {
    # every output is 5 · 500
    "targets": [[2_500 - digit for digit in row] for row in FOLLOWED],
    "loss": "half_squared_error",
    "conventions": {"reduction": "sum"},
}

HARMLESS = [
    *of_json(
        "solutions",
        ("many narrow layers", {"problem": problem(*[3] * 33), "decimals": 10, "derive": True}),
        ("many numbers", {"problem": problem(3, 3, n_samples=90, hidden="softmax"), "quantities": ["S", "dL_dX"]}),
        status=200,
    ),
    *of_json(
        "gradients",
        ("a check of a wide layer", WIDE | {"check": True}),
        ("a check of many layers", DEEP | {"check": True}),
        status=200,
    ),
    *of_json(
        "grades",
        ("another layer's array for the weights'", {"problem": problem(1, 5_000), "answers": {"dL_dW": [[1]]}}),
        ("a row for all", {"problem": problem(1, 4_000), "answers": {"dL_dW": rows(1, 4_000)}}),
        ("a gradient for each sample", {"problem": problem(10, 900, n_samples=400), "answers": {"dL_dW": [[1]]}}),
        (
            "a wide softmax on the way",
            {"problem": problem(1, 7_000, 1, hidden="softmax", last="identity", loss=False), "answers": {"dZ2_dX": 1}},
        ),
        (
            "a derivative that nobody asked for",
            {"problem": FOLLOWING, "answers": {"dL_dZ2": FOLLOWED, "dL_dW1": rows(5, 500)}},
        ),
        ("many layers", {"problem": problem(*[1] * 300), "answers": {"dL_dX": 3}}),
        ("brackets in text", {"problem": SMALL, "answers": {"L": "[" * 60_000}}),
        ("numbers in text", {"problem": SMALL, "answers": {"L": "1;" * 30_000}}),
        ("digits in text", {"problem": SMALL, "answers": {"L": "9" * 60_000}}),
        ("a call in text", {"problem": SMALL, "answers": {"L": "zeros((10**9, 10**9))", "S": "1e" + "9" * 50_000}}),
        ("brackets", {"problem": SMALL, "answers": {"L": [[[[[[[[[[[[1]]]]]]]]]]]]}}),
        status=200,
    ),
    *of_tensors(
        "grades",
        ("a long axis of nothing", frame(dump({"problem": SMALL, "answers": {"L": described(4_000_000, 0)}}))),
        ("axes of nothing", frame(dump({"problem": SMALL, "answers": {"L": described(2000, 2000, 0)}}))),
        status=200,
    ),
    *of_json(
        "exercises/audit",
        ("a wide layer", {"problem": problem(1, 3_000), "asks": ["dL_dW"]}),
        ("many narrow layers", {"problem": problem(*[3] * 36), "asks": ["L"]}),
        status=200,
    ),
    of_lines(
        "questions that share defaults",
        dump({"defaults": {"problem": problem(1, 1_000, n_samples=100)}}),
        *asked(["L", "Z1", "A1", "dL_dZ1", "dL_dW1", "dL_dX"], 6),
    ),
    of_lines("lines that are none", *[b"["] * 3_000),
]
"""What is answered, in little memory."""

TALKATIVE = [
    of_lines(
        "short lines with long replies",
        dump({"defaults": {"problem": problem(1, 700), "asks": ["dS_dZ"], "feedback": "full"}}),
        *(dump({"answers": {"dS_dZ": str(number)}}) for number in range(40)),
    ),
]
"""What is answered with hundreds of megabytes, and in little memory where a client takes them as they come."""

BOMBS = [*REFUSED, *HARMLESS, *TALKATIVE]
