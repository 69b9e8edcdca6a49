"""The page of design says what is there: its rooms are those of the contract, its files exist, its example is true."""

import re
import tomllib
from pathlib import Path

import numpy as np

from app.operations import OPERATIONS
from core.grade_requests import Grader, GradeRequest
from core.mistakes import MISTAKES
from core.problem import Layer, Network, Problem

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
ROOMS = PAGE.split("```")[1]


def test_the_figure_of_rooms_is_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["name"] == "app's rooms have an order"]
    drawn = [set(re.split(r"\s{2,}|\s(?=\w)", line[:27].strip())) - {""} for line in ROOMS.strip().splitlines()]
    assert drawn == [{room.strip() for room in layer.split("|")} for layer in layers]


def test_every_room_of_app_is_in_the_figure() -> None:
    rooms = {path.stem for path in (ROOT / "app").iterdir() if not path.name.startswith("__")}
    assert all(re.search(rf"\b{room}\b", ROOMS) for room in rooms)
    assert len(rooms) <= 20


def test_every_file_that_the_page_names_exists() -> None:
    paths = re.findall(r"`((?:app|core)/[\w/]+(?:\.py)?)`", PAGE)
    assert paths
    assert all((ROOT / path).exists() for path in paths), paths
    modules = re.findall(r"\bcore(?:\.\w+)+", PAGE)
    assert modules
    for module in modules:
        place = ROOT / module.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), module


def test_the_page_says_in_which_file_each_endpoint_is() -> None:
    endpoints = {operation.endpoint for operation in OPERATIONS.values()} - {""}
    assert endpoints
    for name in endpoints:
        [file] = [path.name for path in (ROOT / "app/api").glob("*.py") if f"def {name}(" in path.read_text()]
        assert re.search(rf"`{name}`[^.]* in\s`app/api/{file}`", PAGE), name


def test_the_wrong_answer_of_the_page_gets_the_verdict_of_the_page() -> None:
    [name] = re.findall(r'"mistakes": \["(\w+)"', PAGE)
    source = np.random.default_rng(0)
    problem = Problem(
        network=Network(
            layers=(
                Layer(weights=source.normal(size=(3, 4)), activation="tanh"),
                Layer(weights=source.normal(size=(4, 2)), activation="softmax"),
            )
        ),
        inputs=source.normal(size=(5, 3)),
        targets=np.array([0, 1, 1, 0, 1], dtype=np.int64),
        loss="cross_entropy",
    )
    assert name in MISTAKES
    hidden, outputs = problem.network.layers
    activations = np.tanh(problem.inputs @ hidden.weights)
    exponentials = np.exp(activations @ outputs.weights)
    grad_logits = (exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(2)[problem.targets]) / 5
    # without the slope of tanh
    wrong = problem.inputs.T @ grad_logits @ outputs.weights.T
    grade = Grader().grade(GradeRequest(problem=problem, answers={"dL_dW1": wrong.tolist()}))
    [part] = grade.parts
    assert part.verdict == "incorrect"
    assert [diagnosis.mistakes for diagnosis in part.diagnoses or ()] == [(name,)]
