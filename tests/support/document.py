"""The OpenAPI document of an open service, and what stands in it."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from app.main import create_app
from app.settings import Settings

DOCUMENT: dict[str, Any] = json.loads(json.dumps(create_app(Settings.model_construct()).openapi()))
DOCUMENTED = [
    (path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]


def validator(path: str, method: str, status: str) -> Draft202012Validator:
    """Return what a reply of this status has to be."""
    response = DOCUMENT["paths"][path][method]["responses"][status]
    if "$ref" in response:
        response = component(response["$ref"])
    [media] = response["content"].values()
    return Draft202012Validator(media["schema"] | {"components": DOCUMENT["components"]})


def component(named: str) -> Any:
    """Find what a `$ref` refers to."""
    kind, name = named.removeprefix("#/components/").split("/")
    return DOCUMENT["components"][kind][name]


def names_of_schemas(document: Any) -> set[str]:
    """Find the schemas that part of the document refers to, and those that they refer to."""
    found: set[str] = set()
    left = [document]
    while left:
        part = left.pop()
        if isinstance(part, dict) and (named := str(part.get("$ref", ""))) not in found | {""}:
            found.add(named)
            left.append(component(named))
        left += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    prefix = "#/components/schemas/"
    return {named.removeprefix(prefix) for named in found if named.startswith(prefix)}


def documented_reply(path: str, method: str, name: str) -> Any:
    """Return an example of a reply."""
    [content] = DOCUMENT["paths"][path][method]["responses"]["200"]["content"].values()
    return content["examples"][name]["value"]
