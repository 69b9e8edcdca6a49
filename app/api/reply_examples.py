"""Examples of replies for the OpenAPI document: what is answered to the examples of bodies."""

import io
from functools import cache
from typing import Any

import orjson

from app.access.admission import Access, Caller
from app.examples import EXERCISE
from app.marking.chunks import Terms, mark_chunk
from app.marking.lines import take_defaults
from app.marking.replies import write_summary
from app.operations.operation import Operation
from app.settings import Settings
from app.wire.reading import parse_body
from app.wire.writing import encode
from core.budget import Budget


@cache
def compute_reply_examples(operation: Operation) -> dict[str, Any]:
    """Return a reply for each example of an operation, under its name."""
    settings = Settings.model_construct()
    # a service of its own: a token in the document must not be one that this service takes
    caller = Access(settings).everybody
    found: dict[str, Any] = {}
    for name, example in operation.examples.items():
        body = example["value"]
        if operation.handler is None:
            reply: object = _mark_lines(body, caller, settings.max_body_bytes)
        else:
            reply = _run_handler(operation, body, caller)
        found[name] = {"summary": example["summary"], "value": reply}
    return found


def _run_handler(operation: Operation, body: object, caller: Caller) -> object:
    known = {"budget": Budget(), "caller": caller, "kind": EXERCISE["kind"]}
    reply = operation.run(known | {"body": parse_body(operation.adapter, orjson.dumps(body))})
    return orjson.loads(encode(reply))


def _mark_lines(lines: str, caller: Caller, longest: int) -> str:
    file = io.BytesIO(lines.encode())
    defaults = take_defaults(file, longest)
    terms = Terms(caller=caller, budget=Budget(), longest=longest, defaults=defaults)
    marked = mark_chunk(terms, file.read(), 0)
    return (marked.reply + write_summary(marked.summary)).decode()
