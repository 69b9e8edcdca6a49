"""Every block of the README runs against the real server, and its table of settings is the settings'.

The table is written anew with ``python -m tests.app.test_readme``.
"""

import asyncio
import json
import re
import shlex
import subprocess
import sys
from inspect import getdoc
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from app.access.admission import TOKEN
from app.access.refusals import EVERY_KEY, SCOPES
from app.api.cors import SHOWN_HEADERS, TAKEN_HEADERS
from app.examples import ARTICLE_PROBLEM
from app.main import create_app
from app.operations import OPERATIONS
from app.settings import GROUPS, Settings
from app.watch.line import ALWAYS, FIELDS
from app.watch.metrics import Metrics
from core.answers import FORMS
from core.conventions import CHOICES_IN_WORDS
from core.grading.grade import Outcome, Verdict
from core.mistakes import MISTAKES, SYMBOLS
from tests.support.comparing import compare
from tests.support.log_lines import collected
from tests.support.server import Server, run_server

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ADDRESS = "http://127.0.0.1:8000"


def write_settings_table() -> str:
    return "\n".join(map(_write_group, GROUPS))


def _write_group(group: type[BaseModel]) -> str:
    name, _, meaning = str(getdoc(group)).partition(": ")
    rows = [
        f"| `GRADMARK_{name.upper()}` | {_write_default(field.default)} | {' '.join(str(field.description).split())} |"
        for name, field in group.model_fields.items()
    ]
    lines = [f"**{name}**: {meaning}", "", "| variable | default | what it says |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _write_default(default: object) -> str:
    text = "" if default is None else str(default)
    return f"`{text}`" if text else ""


def write_mistakes_table() -> str:
    rows = [f"| `{mistake.name}` | {mistake.family} | {mistake.produces} |" for mistake in MISTAKES.values()]
    return "\n".join(["| id | about | produces |", "|---|---|---|", *rows]) + "\n"


def write_forms_table() -> str:
    rows = [f"| {form.name} | {form.title} |" for form in FORMS.values()]
    return "\n".join(["| form | what is read |", "|---|---|", *rows]) + "\n"


def write_symbols_table() -> str:
    rows = [f"| {symbols} | {what} |" for symbols, what in SYMBOLS.items()]
    return "\n".join(["| symbols | what they stand for |", "|---|---|", *rows]) + "\n"


def write_log_table() -> str:
    rows = [f"| `{name}` | {'always' if name in ALWAYS else ''} | {said} |" for name, said in FIELDS.items()]
    return "\n".join(["| field | | what it says |", "|---|---|---|", *rows]) + "\n"


def write_metrics_table() -> str:
    registry: Any = Metrics(create_app(Settings.model_construct()).state).registry
    # those that are counted know their labels, those that are looked up say them with what they find
    labels = {one._name: one._labelnames for one in registry._collector_to_names if hasattr(one, "_labelnames")}
    rows = []
    for family in registry.collect():
        if family.name.startswith("gradmark_"):
            name = family.name + "_total" * (family.type == "counter")
            names: Any = labels.get(family.name) or getattr(family, "_labelnames", ())
            rows.append(f"| `{name}` | {family.type} | {', '.join(names)} | {family.documentation} |")
    return "\n".join(["| metric | type | labels | what it counts |", "|---|---|---|---|", *rows]) + "\n"


def write_scopes_table() -> str:
    rows = [f"| `{scope}` | {what} |" for scope, what in SCOPES.items()]
    return "\n".join(["| scope | allows |", "|---|---|", *rows]) + "\n"


def write_routes_table() -> str:
    rows = []
    for operation in OPERATIONS.values():
        admitted = operation.admits
        keys = " or ".join(f"`{scope}`" for scope in admitted if scope != TOKEN)
        who = ("any key" if admitted == EVERY_KEY else keys) + (", or a token" if TOKEN in admitted else "")
        rows.append(f"| `{operation.method} {operation.path}` | {who or 'everybody'} |")
    return "\n".join(["| endpoint | whom it admits |", "|---|---|", *rows]) + "\n"


def write_conventions_table() -> str:
    rows = (
        f"| `{key}` | `{json.dumps(value)}` | {meaning}{', the default' if not place else ''} |"
        for key, choices in CHOICES_IN_WORDS.items()
        for place, (value, meaning) in enumerate(choices.items())
    )
    return "\n".join(["| convention | choice | what it takes |", "|---|---|---|", *rows]) + "\n"


TABLES = {
    "settings": write_settings_table,
    "log": write_log_table,
    "metrics": write_metrics_table,
    "conventions": write_conventions_table,
    "forms": write_forms_table,
    "mistakes": write_mistakes_table,
    "symbols": write_symbols_table,
    "scopes": write_scopes_table,
    "routes": write_routes_table,
}


def with_tables(text: str) -> str:
    """Write the tables that come from settings and registries between their marks."""
    for name, write in TABLES.items():
        mark = f"<!-- {name}: python -m tests.app.test_readme -->\n"
        start, end = text.index(mark) + len(mark), text.index(f"<!-- /{name} -->")
        text = text[:start] + write() + text[end:]
    return text


def address_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def run_shell(example: Example) -> None:
    """Send what curl would; targets and manifests have to exist, and the image is built and run by .ci/verify-image."""
    lines = example.parsed.replace("\\\n", " ")
    words = shlex.split(lines)
    if words[0] == "curl":
        url = words[1].replace(ADDRESS, address_of(example.namespace["server"]))
        given = list(zip(words[2::2], words[3::2], strict=True))
        headers = dict(header.split(": ") for option, header in given if option == "-H")
        options = dict(pair for pair in given if pair[0] != "-H")
        if "-d" in options:
            content = options.pop("-d").encode()
            example.namespace["reply"] = httpx.post(url, content=content, headers=headers).json()
        else:
            content = Path(options.pop("--data-binary").removeprefix("@")).read_bytes()
            Path(options.pop("-o")).write_bytes(httpx.post(url, content=content, headers=headers).content)
        assert not options
        return
    for line in lines.strip().splitlines():
        program, *arguments = line.split()
        if program == ".venv/bin/python":
            subprocess.run([sys.executable, *arguments], check=True, env={"PYTHONPATH": str(ROOT)})
        elif program == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        else:
            assert program in {"docker", "kubectl", "openssl"}, line
            for file in ["Dockerfile", *(word for word in arguments if word.startswith("deploy/"))]:
                assert (ROOT / file).exists(), line


def compare_reply(example: Example) -> None:
    """Compare with the reply before: the same keys in the same order, the same text, numbers to the last digits."""
    compare(json.loads(example.parsed), example.namespace.pop("reply"))


def run_python(example: Example) -> None:
    source = example.parsed.replace(ADDRESS, address_of(example.namespace["server"]))
    exec(compile(source, str(README), "exec"), example.namespace)  # noqa: S102 - the README's own examples


def test_every_block_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evaluators = {"sh": run_shell, "json": compare_reply, "python": run_python}
    document = Sybil([CodeBlockParser(language, run) for language, run in evaluators.items()]).parse(README)
    examples = list(document.examples())
    assert len(examples) == len(re.findall(r"^```\w", README.read_text(), re.MULTILINE)), "a block of another language"
    with run_server() as server:
        document.namespace["server"] = server
        for example in examples:
            example.evaluate()
        document.namespace.pop("service").close()
    assert "reply" not in document.namespace, "a reply that nothing was compared with"


@pytest.mark.parametrize("headers", [TAKEN_HEADERS, SHOWN_HEADERS])
def test_the_headers_that_pages_may_send_and_read_are_those_of_the_code(headers: tuple[str, ...]) -> None:
    *others, last = (f"`{name}`" for name in headers)
    assert f"{', '.join(others)} and {last}" in " ".join(README.read_text().split())


def rows_of(table: str, text: str) -> list[str]:
    return text[text.index(f"<!-- {table}:") : text.index(f"<!-- /{table} -->")].splitlines()[3:]


@pytest.mark.parametrize("table", ["settings", "forms", "scopes", "routes", "log", "metrics"])
def test_a_table_is_what_there_is(table: str) -> None:
    assert rows_of(table, README.read_text()) == rows_of(table, with_tables(README.read_text()))


def test_the_line_of_a_log_is_one_that_is_written() -> None:
    [line] = re.findall('^{"level":.*}$', README.read_text(), re.MULTILINE)
    with collected() as lines:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(create_app()), base_url="http://test")
        asyncio.run(client.post("/v1/gradients", json=ARTICLE_PROBLEM))
    [written] = lines
    printed = json.loads(line)
    assert list(printed) == list(written)
    # the last digit of exp differs between processors
    varying = {"request_id", "ms", "time", "sent_bytes"}
    assert {name: value for name, value in printed.items() if name not in varying} == {
        name: value for name, value in written.items() if name not in varying
    }


def test_the_table_of_mistakes_has_none_that_the_registry_has_not() -> None:
    # a new entry touches its own file only; the next time that the tables are written it is in them
    registered = rows_of("mistakes", with_tables(README.read_text()))
    assert [row for row in registered if row in rows_of("mistakes", README.read_text())] == rows_of(
        "mistakes", README.read_text()
    )


def test_the_section_on_marking_names_every_verdict() -> None:
    _, _, rest = README.read_text().partition("## Marking an answer\n")
    named = set(re.findall("`([a-z_]+)`", rest.partition("\n## ")[0]))
    assert {*get_args(Verdict), *get_args(Outcome)} <= named


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target


def test_the_contents_are_the_headings_with_their_anchors() -> None:
    headings = re.findall("^## (.+)$", README.read_text(), re.MULTILINE)
    # as GitHub makes them
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    contents = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", README.read_text())
    assert contents == list(zip(headings, anchors, strict=True))


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
