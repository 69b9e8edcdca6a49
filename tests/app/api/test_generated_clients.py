"""Generators of clients take every operation of the OpenAPI document: they leave out what they do not know."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.access.keys import make_key
from app.access.refusals import SCOPES
from app.operations import OPERATIONS
from tests.support.document import DOCUMENT, DOCUMENTED, names_of_schemas
from tests.support.server import ROOT, run_server

PROGRAMS = ("lesson", "grader")
NPM = shutil.which("npm") or ""


def parts_of(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document."""
    if isinstance(document, dict):
        yield document
    for part in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from parts_of(part)


def test_no_enum_holds_anything_but_strings() -> None:
    """Generators of clients leave out every operation over an enum of numbers, or of numbers and strings."""
    enums = [part["enum"] for part in parts_of(DOCUMENT) if isinstance(part.get("enum"), list)]
    assert len(enums) > 5
    assert [enum for enum in enums if not all(isinstance(choice, str) for choice in enum)] == []


@pytest.mark.parametrize(("path", "method", "operation"), DOCUMENTED)
def test_generators_of_clients_take_every_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    """They know JSON, bytes and text, and schemas with one type; an operation that has none of these is left out."""
    known = {"application/json", "application/octet-stream"}
    assert method == "get" or known & set(operation["requestBody"]["content"])
    schemas = [DOCUMENT["components"]["schemas"][name] for name in names_of_schemas(operation)]
    for part in parts_of([operation, schemas]):
        assert not isinstance(part.get("type"), list)
        assert "const" not in part
        # an array says of what
        assert part.get("type") != "array" or isinstance(part["items"], dict)


@pytest.mark.parametrize(
    ("name", "field", "taken", "refused"),
    [
        ("L2Body", "factor", [0.5, 1, 1.0], ["1", 2, 0.25]),
        ("ConventionsBody", "log_base", ["e", 2, 10], ["2", 1, 11]),
        ("ConventionsBody", "relu_at_zero", [0, 0.5, 1.0], ["0", 2, -1]),
    ],
)
def test_a_choice_of_numbers_shows_their_range(name: str, field: str, taken: list[Any], refused: list[Any]) -> None:
    schema = DOCUMENT["components"]["schemas"][name]["properties"][field]
    shown = Draft202012Validator(schema | {"components": DOCUMENT["components"]})
    assert all(shown.is_valid(value) for value in taken)
    assert not any(shown.is_valid(value) for value in refused)


def run(*command: object, cwd: Path, **variables: object) -> str:
    """Run a program to its end; return what it prints."""
    # whatever proxy there is, it is not for this machine
    environment = os.environ | {"NO_PROXY": "127.0.0.1"} | {name: str(value) for name, value in variables.items()}
    ran = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def run_programs(*commands: tuple[object, ...], cwd: Path, **variables: object) -> None:
    """Run each program against a server with keys."""
    text, key = make_key("teacher", SCOPES)
    with run_server(keys=key.write()) as server:
        lesson, grader = (
            run(*command, f"http://127.0.0.1:{server.port}", text, cwd=cwd, **variables) for command in commands
        )
    assert "the loss falls from 1.4502 to 0.0811" in lesson
    assert "S: incorrect, 0.00: " in grader


@pytest.mark.slow
def test_a_lesson_and_a_grader_run_over_the_generated_python_client(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    said = run(sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", cwd=tmp_path)
    # what it leaves out, it warns of: it knows no lines of JSON
    assert re.findall("WARNING parsing (.*) within", said) == ["POST /v1/grades/bulk"] * 2, said
    package = tmp_path / "gradmark-client" / "gradmark_client"
    assert {path.stem for path in package.glob("api/*/[!_]*.py")} == set(OPERATIONS)

    programs = [ROOT / "examples" / "clients" / "python" / f"{name}.py" for name in PROGRAMS]
    check = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file="]
    run(*check, *programs, cwd=tmp_path, MYPYPATH=package.parent)
    # the check sees the client's types: with another field's name it fails
    (tmp_path / "wrong.py").write_text(programs[0].read_text().replace("forward.outputs", "forward.output"))
    with pytest.raises(AssertionError, match='"ForwardReply" has no attribute "output"'):
        run(*check, "wrong.py", cwd=tmp_path, MYPYPATH=package.parent)

    run_programs(*((sys.executable, program) for program in programs), cwd=tmp_path, PYTHONPATH=package.parent)


@pytest.mark.slow
@pytest.mark.skipif(not NPM, reason="there is no npm here")
def test_a_lesson_and_a_grader_run_over_the_generated_typescript_client(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "clients" / "typescript", tmp_path, dirs_exist_ok=True)
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    run(NPM, "ci", "--no-audit", "--no-fund", cwd=tmp_path)
    run(NPM, "run", "client", cwd=tmp_path)
    made = (tmp_path / "gradmark.d.ts").read_text()
    assert set(re.findall(r'operations\["(\w+)"\]', made)) == set(OPERATIONS)

    run(NPM, "run", "build", cwd=tmp_path)
    lesson = tmp_path / "lesson.ts"
    right = lesson.read_text()
    lesson.write_text(right.replace("forward.data.outputs", "forward.data.output"))
    with pytest.raises(AssertionError, match="Property 'output' does not exist"):
        run(NPM, "run", "build", cwd=tmp_path)
    lesson.write_text(right)
    run(NPM, "run", "build", cwd=tmp_path)

    run_programs(*(("node", f"built/{name}.js") for name in PROGRAMS), cwd=tmp_path)
