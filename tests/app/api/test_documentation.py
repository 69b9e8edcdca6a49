"""OpenAPI promises what the service does: snapshot, examples, and every reply against its class and schema."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter
from starlette.types import Message

from app.api.openapi import TENSORS_PATH, write_tensors_document
from app.examples import ARTICLE, EXERCISE, TWO_LAYER_PROBLEM
from app.operations import OPERATIONS
from app.wire.reading import parse_body
from app.wire.tensors import TENSORS_TYPE
from core.activations import ACTIVATIONS
from core.answers import FORMS, read_answer
from core.exercises import KINDS
from core.losses import LOSSES
from core.mistakes import MISTAKES
from tests.support.comparing import compare
from tests.support.document import (
    DOCUMENT,
    DOCUMENTED,
    component,
    documented_reply,
    names_of_schemas,
    validator,
)

pytestmark = pytest.mark.anyio

SNAPSHOT = Path(__file__).with_name("openapi.json")
TENSORS_DOCUMENT = write_tensors_document(DOCUMENT)
EXAMPLES = [
    (path, media_type, name, example["value"])
    for path, method, operation in DOCUMENTED
    if method == "post"
    for media_type, content in operation["requestBody"]["content"].items()
    for name, example in content.get("examples", {}).items()
]
TENSORS_DOCUMENT = write_tensors_document(DOCUMENT)
JSON_EXAMPLES = [(path, name, body) for path, media_type, name, body in EXAMPLES if media_type == "application/json"]
LINES_EXAMPLES = [(name, body) for _, media_type, name, body in EXAMPLES if media_type == "application/jsonl"]
REGISTRIES: dict[str, Iterable[str]] = {"activations": ACTIVATIONS, "losses": LOSSES, "kinds": KINDS}

REPLY_CLASSES = {operation.path: operation.reply for operation in OPERATIONS.values()}


def without_names(document: Any) -> Any:
    """Put a registry's name in place of its entries' names, so that a new entry touches no other file.

    Examples of replies are left out: a test asks the service for each of them.
    """
    for what, registry in REGISTRIES.items():
        if document == list(registry):
            return [f"all {what}"]
    if isinstance(document, dict):
        return {
            key: without_names(without_examples(value) if key == "200" else value) for key, value in document.items()
        }
    return [without_names(value) for value in document] if isinstance(document, list) else document


def without_examples(response: dict[str, Any]) -> dict[str, Any]:
    content = response.get("content", {})
    return response | {"content": {name: {"schema": media["schema"]} for name, media in content.items()}}


def test_the_document_is_the_committed_one() -> None:
    """Write it anew with ``python -m tests.app.api.test_documentation`` and read the difference."""
    assert json.loads(SNAPSHOT.read_text()) == without_names(DOCUMENT)


def test_the_document_lists_every_activation_loss_and_kind() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["KindName"]["enum"] == list(KINDS)
    assert schemas["ActivationName"]["enum"] == list(ACTIVATIONS)
    assert schemas["LossName"]["enum"] == list(LOSSES)


@pytest.mark.parametrize(("path", "method", "operation"), DOCUMENTED)
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    named = OPERATIONS[operation["operationId"]]
    assert (named.path, named.method.lower()) == (path, method)
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"].endswith(".")
    assert operation["summary"] not in operation.get("description", "")
    assert "200" in operation["responses"]
    assert "500" in operation["responses"]
    if method == "post":
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
        content, *_ = operation["requestBody"]["content"].values()
        assert len(content["examples"]) >= 2
    if "parameters" in operation:
        assert "422" in operation["responses"]


@pytest.mark.parametrize(("path", "method", "operation"), DOCUMENTED)
def test_a_body_and_a_reply_have_one_type_for_generators_of_clients(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    contents = operation.get("requestBody", {}).get("content", {"application/json": {}})
    # lines of JSON are text, and bytes to whoever does not know them
    assert len(contents) == 1 or path == "/v1/grades/bulk"
    assert len(operation["responses"]["200"]["content"]) == 1
    for status, response in operation["responses"].items():
        assert ("$ref" in response) == (status >= "400")


def test_the_binary_form_of_every_json_body_has_a_document_of_its_own() -> None:
    assert TENSORS_TYPE not in json.dumps(DOCUMENT)
    assert DOCUMENT["externalDocs"]["url"] == TENSORS_PATH.removeprefix("/")
    with_json = {path for path, _, operation in DOCUMENTED if "406" in operation["responses"]}
    assert set(TENSORS_DOCUMENT["paths"]) == with_json
    assert len(with_json) >= 8
    for path in with_json:
        binary, plain = TENSORS_DOCUMENT["paths"][path]["post"], DOCUMENT["paths"][path]["post"]
        assert list(plain["requestBody"]["content"]) == ["application/json"]
        assert list(binary["requestBody"]["content"]) == list(binary["responses"]["200"]["content"]) == [TENSORS_TYPE]
        assert set(binary["responses"]) == set(plain["responses"])


def test_every_field_of_a_body_and_every_parameter_is_described() -> None:
    bodies = names_of_schemas([operation.get("requestBody") for _, _, operation in DOCUMENTED])
    assert {"GradeBody", "PolicyBody", "LayerBody"} <= bodies
    shown = {
        f"{name}.{field}": about
        for name in bodies
        for field, about in DOCUMENT["components"]["schemas"][name].get("properties", {}).items()
    }
    for path, _, operation in DOCUMENTED:
        shown |= {f"{path} {about['name']}": about for about in operation.get("parameters", ())}
    assert [name for name, about in shown.items() if not about.get("description")] == []


def test_every_array_of_a_body_says_its_shape() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, shown in schema.get("properties", {}).items():
            # the weights of a policy are no array
            if name.endswith("Body") and field in {"weights", "bias", "inputs", "targets"} and name != "PolicyBody":
                assert "shape" in shown["description"], f"{name}.{field}"


async def require_reply(reply: httpx.Response, path: str, method: str) -> None:
    """Check a reply against its documented schema, and, where it is one of success, its class."""
    is_text = reply.headers["content-type"].startswith("text/plain")
    validator(path, method, str(reply.status_code)).validate(reply.text if is_text else reply.json())
    if reply.status_code == 200 and REPLY_CLASSES[path] is not None:
        reply_class: TypeAdapter[object] = TypeAdapter(REPLY_CLASSES[path])
        parse_body(reply_class, reply.content)


@pytest.mark.parametrize(("path", "name", "body"), JSON_EXAMPLES)
async def test_every_example_is_answered_as_promised(
    client: httpx.AsyncClient, path: str, name: str, body: object
) -> None:
    reply = await client.post(path.format(kind=next(iter(KINDS))), json=body)
    assert reply.status_code == 200, reply.text
    await require_reply(reply, path, "post")
    documented = documented_reply(path, "post", name)
    validator(path, "post", "200").validate(documented)
    # a token and its end are each reply's own
    compare(documented | {key: "..." for key in ("token", "expires_at") if key in documented}, reply.json())


async def test_the_example_of_an_exercise_is_that_exercise(client: httpx.AsyncClient) -> None:
    reply = await client.get(f"/v1/exercises/{EXERCISE['kind']}", params={"seed": EXERCISE["seed"]})
    documented = documented_reply("/v1/exercises/{kind}", "get", "softmax")
    validator("/v1/exercises/{kind}", "get", "200").validate(documented)
    compare(documented, reply.json())


async def test_a_token_in_the_document_is_one_that_no_service_takes(client: httpx.AsyncClient) -> None:
    token = documented_reply("/v1/exercises/{kind}/tokens", "post", "homework")["token"]
    reply = await client.get(f"/v1/exercises/{EXERCISE['kind']}", params={"token": token})
    assert reply.status_code == 401


@pytest.mark.parametrize(("name", "body"), LINES_EXAMPLES)
async def test_every_example_of_lines_is_answered_line_by_line(client: httpx.AsyncClient, name: str, body: str) -> None:
    headers = {"Content-Type": "application/jsonl"}
    reply = await client.post("/v1/grades/bulk", content=body, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/jsonl")
    *lines, last = map(json.loads, reply.text.splitlines())
    for line in lines:
        validator("/v1/grades", "post", "200").validate(line["grade"])
    assert last["summary"]["lines"] == len(lines) > 0
    assert last["summary"]["problems"] == 0
    documented = documented_reply("/v1/grades/bulk", "post", name)
    compare([json.loads(line) for line in documented.splitlines()], [*lines, last])


@pytest.mark.parametrize(
    ("path", "operation"), [(path, about) for path, method, about in DOCUMENTED if method == "get"]
)
async def test_every_get_is_answered_as_promised(
    client: httpx.AsyncClient, path: str, operation: dict[str, Any]
) -> None:
    # a token stands in place of the seed, and of versions there is one
    parameters = [p for p in operation.get("parameters", ()) if p["name"] not in {"token", "version"}]
    given = {
        kind: {p["name"]: smallest(p["schema"]) for p in parameters if p["in"] == kind} for kind in ("path", "query")
    }
    reply = await client.get(path.format(**given["path"]), params=given["query"])
    assert reply.status_code == 200 or path == "/health/ready"
    await require_reply(reply, path, "get")


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, p["name"]) for path, _, about in DOCUMENTED for p in about.get("parameters", ()) if p["in"] == "query"],
)
async def test_no_parameter_of_a_query_is_taken_twice(client: httpx.AsyncClient, path: str, name: str) -> None:
    reply = await client.get(path.format(kind=next(iter(KINDS))), params={name: ["1", "1"]})
    assert reply.status_code == 422
    assert [(error["pointer"], error["code"]) for error in reply.json()["errors"]] == [(f"/{name}", "duplicate_key")]


def smallest(schema: dict[str, Any]) -> str | int:
    """Return the first value that a parameter can have."""
    if "$ref" in schema:
        return smallest(component(schema["$ref"]))
    value: str | int = schema["enum"][0] if "enum" in schema else schema["minimum"]
    return value


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/softmax-layer", b"{", 400),
        ("/v1/softmax-layer", json.dumps(ARTICLE | {"target": 9}).encode(), 422),
        ("/v1/gradients", json.dumps(TWO_LAYER_PROBLEM | {"loss": "none"}).encode(), 422),
    ],
)
async def test_refusals_are_documented_problems(client: httpx.AsyncClient, path: str, body: bytes, status: int) -> None:
    reply = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status
    validator(path, "post", str(status)).validate(reply.json())


async def test_the_catalogue_lists_every_entry_of_every_registry(client: httpx.AsyncClient) -> None:
    catalogue = (await client.get("/v1/catalogue")).json()
    assert [entry["name"] for entry in catalogue["activations"]] == list(ACTIVATIONS)
    assert [entry["name"] for entry in catalogue["losses"]] == list(LOSSES)
    assert [entry["name"] for entry in catalogue["mistakes"]] == list(MISTAKES)
    assert [entry["name"] for entry in catalogue["exercise_kinds"]] == list(KINDS)
    assert [entry["name"] for entry in catalogue["forms"]] == list(FORMS)
    for entry in catalogue["activations"] + catalogue["losses"] + catalogue["quantities"]:
        assert entry["formula"]
        assert entry["latex"]


async def test_the_catalogue_says_of_mistakes_and_exercises_what_readers_need(client: httpx.AsyncClient) -> None:
    catalogue = (await client.get("/v1/catalogue")).json()
    for entry in catalogue["mistakes"]:
        assert set(entry) == {"name", "family", "produces", "message"}
        assert all(entry.values())
        # feedback is sentences for a student
        assert entry["message"][0].isupper() or not entry["message"][0].isalpha()
        assert entry["message"].endswith((".", "?", "!"))
    for entry in catalogue["exercise_kinds"]:
        assert set(entry) == {"name", "title", "asks", "decimals"}
        assert all(entry.values())


async def test_the_catalogues_examples_of_forms_are_read_as_it_says(client: httpx.AsyncClient) -> None:
    for form in (await client.get("/v1/catalogue")).json()["forms"]:
        assert form["title"]
        for example in form["examples"]:
            numbers = np.array(example["numbers"], dtype=np.float64)
            answer = read_answer(example["text"], shape=numbers.shape)
            assert answer.value is not None
            np.testing.assert_array_equal(answer.value.reshape(numbers.shape), numbers)


async def test_the_catalogue_has_the_quantities_of_the_grammar_and_nothing_else(client: httpx.AsyncClient) -> None:
    ids = {entry["id"] for entry in (await client.get("/v1/catalogue")).json()["quantities"]}
    assert {"Z{l}", "A{l}", "L", "dL_dA{l}", "dL_dZ{l}", "dL_dW{l}", "dL_db{l}", "dA{l}_dZ{l}", "dZ{l}_dW{l}"} <= ids
    assert not ids & {"y", "losses", "divisor", "log_of_base", "l2_coefficient"}
    assert all("{n}" not in name for name in ids)


WRITTEN_ONCE = [
    "/openapi.json",
    TENSORS_PATH,
    *(one.path for one in OPERATIONS.values() if one.handler is not None and one.body is None),
]


@pytest.mark.parametrize("path", WRITTEN_ONCE)
async def test_what_is_the_same_for_all_is_written_once_and_held_once(app: FastAPI, path: str) -> None:
    bodies: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            bodies.append(message["body"])
            assert app.state.dispatcher.memory.total == 0

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    for _ in range(2):
        await app(dict(scope), receive, send)
    one, other = bodies
    assert one is other


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(without_names(DOCUMENT), indent=1, ensure_ascii=False) + "\n")
