"""The tree of tests: it mirrors the rooms, and what tests share stands in its own room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"


def imported(source: str) -> Iterator[str]:
    """Name every module that a file imports, and every name that it imports from one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def find_test_modules(source: str) -> list[str]:
    """Name the test modules that a file imports, or what it imports from them."""
    return [name for name in imported(source) if any(part.startswith("test_") for part in name.split("."))]


def test_nothing_imports_from_a_test_module() -> None:
    files = [path for folder in ("tests", ".ci", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    assert TESTS / "support" / "server.py" in files
    found = {str(path.relative_to(ROOT)): find_test_modules(path.read_text(encoding="utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from tests.core.test_problem import LAYER",
        "from tests.core import test_problem",
        "from tests.core import test_problem as other",
        "from .test_problem import LAYER",
        "import tests.core.test_problem",
        "def draw():\n    from tests.core.test_problem import LAYER",
    ],
)
def test_every_way_to_import_a_test_module_is_seen(source: str) -> None:
    assert find_test_modules(source)


@pytest.mark.parametrize("package", ["app", "core"])
def test_every_folder_of_tests_is_a_room(package: str) -> None:
    def folders(path: Path) -> set[str]:
        return {str(file.parent.relative_to(path)) for file in path.rglob("*.py")}

    assert folders(TESTS / package) <= folders(ROOT / package)
    assert len(folders(TESTS / package)) > 5


def test_every_test_stands_in_the_tree_of_what_it_tests_and_support_has_none() -> None:
    assert not list((TESTS / "support").rglob("test_*.py"))
    assert {path.name for path in TESTS.iterdir() if path.is_dir() and list(path.rglob("test_*.py"))} == {
        "app",
        "core",
        "deploy",
    }
