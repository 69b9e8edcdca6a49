"""Examples of replies for the OpenAPI document: what the handlers return for the examples of bodies."""

from functools import cache
from typing import Any

import orjson

from app.access import Access
from app.examples import EXERCISE
from app.operations import Operation
from app.settings import Settings
from app.wire import encode, parse_body
from core.budget import Budget


@cache
def compute_reply_examples(operation: Operation) -> dict[str, Any]:
    """Return a reply for each example of an operation, under its name; none where there is no handler to ask."""
    if operation.body is None:
        return {}
    # a service of its own: a token in the document must not be one that this service takes
    caller = Access(Settings.model_construct()).everybody
    known = {"budget": Budget(), "caller": caller, "kind": EXERCISE["kind"]}
    found: dict[str, Any] = {}
    for name, example in operation.examples.items():
        body = parse_body(operation.adapter, orjson.dumps(example["value"]))
        reply = operation.run(known | {"body": body})
        found[name] = {"summary": example["summary"], "value": orjson.loads(encode(reply))}
    return found
