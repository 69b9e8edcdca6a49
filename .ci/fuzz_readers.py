"""The targets of `.ci/fuzz-readers`: ``python .ci/fuzz_readers.py TARGET CORPUS [options of libFuzzer]``."""

import json
import sys
from contextlib import suppress
from itertools import product
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["app.wire", "core.answers"]):
    from pydantic import TypeAdapter, ValidationError

    from app.errors import BodyError, describe_error
    from app.wire import reading
    from app.wire.reading import parse_body
    from app.wire.tensors import parse_tensors
    from core.answers import FORMS, read_answer
    from core.errors import CoreError
    from tests.support.readers import BODIES, outcome
    from tests.support.tensor_client import to_tensors, with_arrays

# small bodies are those that are mutated most often, and the fast reader is meant to see them, too
reading.FAST_FROM = 0

ANSWERS = [
    *(example.text for form in FORMS.values() for example in form.examples),
    "(np.float64(0.5), 1)",
    "1,5279",
    "761,995.125",
    "[1, [2]]",
    "[[1 2 ... 3]]",
]

SHAPES: list[tuple[int, ...] | None] = [None, (), (5,), (2, 2), (2, 1)]

ADAPTERS = [TypeAdapter(kind) for kind, _ in BODIES]


def read_body(data: bytes) -> None:
    """Read a body by both readers: they agree, and raise nothing but what is known."""
    adapter, raw = ADAPTERS[data[0] % len(ADAPTERS)] if data else ADAPTERS[0], data[1:]
    if outcome(parse_body, adapter, raw) != outcome(reading.read_body, adapter, raw):
        raise AssertionError("the readers disagree")


def read_tensors(data: bytes) -> None:
    """Read a body in binary form: it raises nothing but what is known."""
    adapter, raw = ADAPTERS[data[0] % len(ADAPTERS)] if data else ADAPTERS[0], data[1:]
    try:
        parse_tensors(adapter, raw)
    except (BodyError, CoreError, ValidationError) as error:
        if describe_error(error).status not in (400, 422):
            raise


def read_one_answer(data: bytes) -> None:
    """Read an answer, as text and as the JSON that it may be: nothing is raised, and numbers or a reason come back."""
    text = data.decode("utf-8", "replace")
    values = [text]
    with suppress(ValueError, RecursionError):
        values.append(json.loads(text))
    for value, shape in product(values, SHAPES):
        answer = read_answer(value, shape=shape)
        if answer.reading is not None and not (answer.reading.row >= 1 and answer.reading.column >= 1):
            raise AssertionError("a place counts from 1")


def seed(target: str, corpus: Path) -> None:
    """Write what the search starts from."""
    corpus.mkdir(exist_ok=True)
    documents = [(bytes([n]), json.dumps(body)) for n, (_, body) in enumerate(BODIES)]
    seeds = {
        "body": [start + text.encode() for start, text in documents],
        "tensors": [start + to_tensors(with_arrays(json.loads(text))) for start, text in documents],
        "answer": [text.encode() for text in ANSWERS],
    }[target]
    for number, content in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(content)


TARGETS = {"body": read_body, "tensors": read_tensors, "answer": read_one_answer}


if __name__ == "__main__":
    name, directory = sys.argv.pop(1), Path(sys.argv[1])
    seed(name, directory)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
