"""A client of the binary form, as one would write it from the documentation alone."""

import json
from typing import Any

import httpx
import numpy as np

Json = dict[str, Any]

MEDIA_TYPE = "application/vnd.gradmark.tensors"
HEADERS = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
NAMES = {"float64": "FP64", "float32": "FP32", "int64": "INT64", "int32": "INT32"}


def to_tensors(body: Any) -> bytes:
    """Write a body whose arrays are NumPy's."""
    arrays: list[bytes] = []

    def describe(value: Any) -> Any:
        arrays.append(value.tobytes())
        size = {"binary_data_size": len(arrays[-1])}
        return {"datatype": NAMES[value.dtype.name], "shape": value.shape, "parameters": size}

    head = json.dumps(body, default=describe).encode()
    return len(head).to_bytes(8, "little") + head + b"".join(arrays)


def from_tensors(content: bytes) -> Any:
    """Read a reply: a document with arrays in it."""
    length = int.from_bytes(content[:8], "little")
    start = 8 + length
    assert start % 8 == 0, "the arrays do not begin where a browser can look at them"

    def take(found: dict[str, Any]) -> Any:
        nonlocal start
        if found.keys() != {"datatype", "shape", "parameters"}:
            return found
        assert found["datatype"] == "FP64"
        size = found["parameters"]["binary_data_size"]
        array = np.frombuffer(content[start : start + size]).reshape(found["shape"])
        start += size
        return array

    document = json.loads(content[8 : 8 + length], object_hook=take)
    assert start == len(content), "bytes are left over"
    return document


def with_arrays(value: Any, key: str = "") -> Any:
    """Put arrays in the place of a body's lists of numbers."""
    if isinstance(value, dict):
        return {name: with_arrays(part, name) for name, part in value.items()}
    if isinstance(value, list):
        array = np.array(value) if key not in {"layers", "quantities", "jacobians", "asks"} else None
        return array if array is not None else [with_arrays(part) for part in value]
    return value


def with_lists(value: Any) -> Any:
    """Put lists back for arrays."""
    if isinstance(value, dict):
        return {name: with_lists(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_lists(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


async def post_tensors(client: httpx.AsyncClient, path: str, content: bytes, **headers: str) -> httpx.Response:
    """Send a body in binary form, and accept a reply in it unless the headers say otherwise."""
    return await client.post(f"/v1/{path}", content=content, headers=HEADERS | headers)


def tensor_problem(**changes: object) -> Json:
    """Return a body of ones and zeros, as arrays, with these members."""
    layer = {"weights": np.ones((3, 2)), "bias": np.zeros(2), "activation": "softmax"}
    body: Json = {"network": {"layers": [layer]}, "inputs": np.ones((4, 3)), "targets": np.zeros(4, np.int64)}
    return body | {"loss": "cross_entropy"} | changes
