"""OpenAPI promises what the service does: snapshot, examples, and every reply against its class and schema."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from app.examples import ARTICLE, TWO_LAYER_PROBLEM
from app.main import ROUTERS, create_app
from app.settings import Settings
from app.wire import parse_body
from core.activations import ACTIVATIONS
from core.losses import LOSSES

pytestmark = pytest.mark.anyio

SNAPSHOT = Path(__file__).with_name("openapi.json")
DOCUMENT: dict[str, Any] = json.loads(json.dumps(create_app(Settings.model_construct()).openapi()))
OPERATIONS = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
EXAMPLES = [
    (path, name, example["value"])
    for path, method, operation in OPERATIONS
    if method == "post"
    for name, example in operation["requestBody"]["content"]["application/json"]["examples"].items()
]


REPLY_CLASSES = {
    route.path: route.response_model for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
}


def validator(path: str, method: str, status: str) -> Draft202012Validator:
    content = DOCUMENT["paths"][path][method]["responses"][status]["content"]
    [schema] = [media["schema"] for media in content.values()]
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def without_names(document: Any) -> Any:
    """Put a registry's name in place of its entries' names, so that a new entry touches no other file."""
    for what, names in {"activations": list(ACTIVATIONS), "losses": list(LOSSES)}.items():
        if document == names:
            return [f"all {what}"]
    if isinstance(document, dict):
        return {key: without_names(value) for key, value in document.items()}
    return [without_names(value) for value in document] if isinstance(document, list) else document


def test_the_document_is_the_committed_one() -> None:
    """Write it anew with ``python -m tests.app.test_documentation`` and read the difference."""
    assert json.loads(SNAPSHOT.read_text()) == without_names(DOCUMENT)


def test_the_document_lists_every_activation_and_loss() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["LayerBody"]["properties"]["activation"]["enum"] == list(ACTIVATIONS)
    assert schemas["ForwardBody"]["properties"]["loss"]["enum"] == list(LOSSES)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["operationId"].split("_")[0] in {"create", "read"}
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["description"]
    assert "200" in operation["responses"]
    assert "500" in operation["responses"]
    if method == "post":
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
        assert len(operation["requestBody"]["content"]["application/json"]["examples"]) >= 2


def test_operation_ids_are_distinct() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_every_array_of_a_body_says_its_shape() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, shown in schema.get("properties", {}).items():
            if name.endswith("Body") and field in {"weights", "bias", "inputs", "targets"}:
                assert "shape" in shown["description"], f"{name}.{field}"


@pytest.mark.parametrize(("path", "name", "body"), EXAMPLES)
async def test_every_example_is_answered_as_promised(
    client: httpx.AsyncClient, path: str, name: str, body: object
) -> None:
    reply = await client.post(path, json=body)
    assert reply.status_code == 200, reply.text
    validator(path, "post", "200").validate(reply.json())
    reply_class: TypeAdapter[object] = TypeAdapter(REPLY_CLASSES[path])
    parse_body(reply_class, reply.content)


@pytest.mark.parametrize("path", [path for path, method, _ in OPERATIONS if method == "get"])
async def test_every_get_is_answered_as_promised(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path)
    validator(path, "get", str(reply.status_code)).validate(reply.json())


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
    assert all(entry["formula"] and entry["latex"] for kind in catalogue.values() for entry in kind)


async def test_the_catalogue_has_the_quantities_of_the_grammar_and_nothing_else(client: httpx.AsyncClient) -> None:
    ids = {entry["id"] for entry in (await client.get("/v1/catalogue")).json()["quantities"]}
    assert {"Z{l}", "A{l}", "L", "dL_dA{l}", "dL_dZ{l}", "dL_dW{l}", "dL_db{l}", "dA{l}_dZ{l}", "dZ{l}_dW{l}"} <= ids
    assert not ids & {"y", "losses", "divisor", "unit", "decay"}
    assert all("{n}" not in name for name in ids)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(without_names(DOCUMENT), indent=1, ensure_ascii=False) + "\n")
