"""Everything that is logged is a line of JSON, or of text for people, and nothing of a request's values is in it."""

import asyncio
import gc
import json
import logging
import os
import re
import subprocess
import warnings

import httpx
import pytest

from app.errors import BodyError
from app.logs import LineFormatter, TextFormatter, describe_exception, log_warning
from app.main import create_app
from app.settings import Settings
from app.work.pool import WorkerFailedError
from core.errors import ShapeError
from tests.support.log_lines import collected
from tests.support.server import ROOT, command, environment, find_free_port, stop, wait_until_ready

pytestmark = pytest.mark.anyio

CANARY = "c4n4ry"


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301 - for its traceback
    except Exception as caught:  # noqa: BLE001 - whatever was raised
        return caught


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = raised(cause)
    return raised(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        KeyError(CANARY),
        OSError(CANARY),
        ShapeError(f"{CANARY} and 4"),
        BodyError(400, "duplicate_key", f'the key "{CANARY}" stands twice'),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
        caused(RuntimeError("other"), ValueError(CANARY)),
        caused(WorkerFailedError("ours"), ShapeError(CANARY)),
    ],
    ids=str,
)
def test_messages_that_may_hold_values_are_not_logged(error: Exception) -> None:
    error.add_note(CANARY)
    said = describe_exception(raised(error))
    assert CANARY not in said
    assert type(error).__name__ in said
    assert "raise error" in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (WorkerFailedError("where it was"), "app.work.worker.WorkerFailedError: where it was"),
        (OSError(28, "No space left on device", CANARY), "builtins.OSError: No space left on device"),
        (ZeroDivisionError("by zero"), "builtins.ZeroDivisionError"),
    ],
)
def test_messages_that_hold_no_values_are_logged(error: Exception, said: str) -> None:
    assert describe_exception(raised(error)).splitlines()[-1] == said


def test_causes_come_first_and_each_once() -> None:
    first, second = raised(ValueError()), raised(TypeError())
    second.__cause__, first.__context__ = first, second
    assert [line for line in describe_exception(second).splitlines() if line.startswith("builtins")] == [
        "builtins.ValueError",
        "builtins.TypeError",
    ]
    hidden = caused(ValueError(), TypeError())
    hidden.__cause__ = None
    assert "TypeError" not in describe_exception(hidden)


def test_a_group_is_followed_into_its_parts() -> None:
    said = describe_exception(ExceptionGroup("", [raised(ValueError()), raised(TypeError())]))
    assert all(f"builtins.{name}" in said for name in ("ValueError", "TypeError", "ExceptionGroup"))


def test_a_record_is_a_line_of_json_with_what_it_holds() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "ERROR", "msg": "two\nlines %s", "args": ("é",), "more": 1, "color_message": "\x1b"}
    )
    text = LineFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "ERROR", "logger": "x", "message": "two\nlines é", "more": 1}


def test_a_record_for_people_is_a_line_of_text_with_what_it_holds() -> None:
    standard = {"levelname": "ERROR", "msg": "two\nlines %s", "args": ("é",), "color_message": "\x1b"}
    more = {"ms": 1.5, "widths": [3, 5], "name_of": "a b=c", "route": "/v1/x", "key": "\x1b[31m"}
    record = logging.makeLogRecord(standard | more | {"exc_info": (ValueError, ValueError(CANARY), None)})
    line, *traceback = TextFormatter().format(record).splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR ", line)
    assert line.endswith(r'"two\nlines é" ms=1.5 widths=[3,5] name_of="a b=c" route=/v1/x key="\u001b[31m"')
    assert traceback == ["builtins.ValueError"]


@pytest.mark.parametrize(
    ("settings", "is_terminal", "form"),
    [
        ({}, False, "json"),
        ({}, True, "text"),
        ({"log_format": "TEXT"}, False, "text"),
        ({"log_format": "json"}, True, "json"),
    ],
)
def test_people_at_a_terminal_read_text_and_programs_json(
    settings: dict[str, str], is_terminal: bool, form: str
) -> None:
    outer, inner = os.openpty() if is_terminal else os.pipe()
    with subprocess.Popen(
        command("serve"), cwd=ROOT, env=environment(port=0, log_level="Info", **settings), stdout=inner
    ) as process:
        os.close(inner)
        with os.fdopen(outer, encoding="utf-8") as lines:
            line = lines.readline()
            stop(process)
    assert ("json" if line.startswith("{") else "text") == form
    assert "INFO" in line


def test_a_log_that_nobody_reads_any_more_costs_no_reply_and_fills_nothing() -> None:
    outer, inner = os.pipe()
    port = find_free_port()
    with subprocess.Popen(
        command("serve"), cwd=ROOT, env=environment(port=port), stdout=inner, stderr=subprocess.PIPE
    ) as process:
        os.close(inner)
        # it has begun
        os.read(outer, 1)
        os.close(outer)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_ready(process, client)
            assert [client.get("/nothing").status_code for _ in range(3)] == [404, 404, 404]
        stop(process)
        assert process.stderr is not None
        assert process.stderr.read() == b""


async def test_an_error_that_nobody_waits_for_is_logged_without_its_values() -> None:
    app = create_app(Settings.model_construct(processes=0))

    async def fail() -> None:
        raise ValueError(CANARY)

    async with app.router.lifespan_context(app):
        with collected("gradmark") as lines:
            asyncio.create_task(fail())  # noqa: RUF006 - that nobody keeps it is the point
            await asyncio.sleep(0.01)
            gc.collect()
    [line] = [line for line in lines if line["message"] == "a task or callback failed"]
    assert "ValueError" in line["traceback"]
    assert CANARY not in str(line)


def test_a_warning_is_logged_by_its_place_and_kind() -> None:
    with collected("py.warnings") as lines, warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = log_warning
        warnings.warn(CANARY, RuntimeWarning, stacklevel=1)
    [line] = lines
    assert line["level"] == "WARNING"
    assert re.fullmatch(r"RuntimeWarning at .*test_logs\.py:\d+", line["message"])
