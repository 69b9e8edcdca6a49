"""The log: lines on standard output, of JSON or of text for people, with nothing of a request's values."""

import asyncio
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Literal, TextIO

import orjson
from pythonjsonlogger.core import RESERVED_ATTRS, LogData
from pythonjsonlogger.orjson import OrjsonFormatter

current_request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is worked on; empty where none is."""

LogFormat = Literal["json", "text"]

NOT_SAID = ("color_message",)  # what records have for terminals


class SayableError(Exception):
    """An exception whose words are logged: they hold nothing of a request's values."""


class LineFormatter(OrjsonFormatter):
    """Writes a record as one line of JSON: time, level, logger, message, and what else it holds."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
            reserved_attrs=[*RESERVED_ATTRS, *NOT_SAID],
            timestamp="time",
        )

    def process_log_record(self, log_data: LogData) -> LogData:
        """Add the id of the request that the record belongs to."""
        if request_id := current_request_id.get():
            log_data.setdefault("request_id", request_id)
        return log_data

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        """Write an exception without what may be values of a request."""
        return describe_exception(ei[1])


class TextFormatter(LineFormatter):
    """Writes a record as one line for people: time, level, message, key=value; a traceback follows on its own lines."""

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Write what the record holds."""
        fields = dict(log_data)
        time, level, message = fields.pop("time"), fields.pop("level"), fields.pop("message")
        traceback_lines = f"\n{fields.pop('traceback')}" if "traceback" in fields else ""
        del fields["logger"]
        said = "".join(f" {name}={_write_value(value)}" for name, value in fields.items())
        text = message if message.isprintable() else _write_json(message)
        return f"{time.astimezone():%Y-%m-%d %H:%M:%S} {level:<7} {text}{said}{traceback_lines}"


def _write_value(value: object) -> str:
    is_word = isinstance(value, str) and value.isprintable() and not set(value) & set(' "=')
    return str(value) if is_word else _write_json(value)


def _write_json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


FORMATTERS: Mapping[LogFormat, type[logging.Formatter]] = {"json": LineFormatter, "text": TextFormatter}


def describe_exception(error: BaseException) -> str:
    """Say where an exception was raised, and what it is, the innermost cause first; its words only if it is sayable.

    Those of `core` and of refusals may hold values: they say what was found.
    """
    parts = ["".join(traceback.format_tb(link.__traceback__)) + _name(link) for link in _follow(error)]
    return "\n\nwhich led to:\n\n".join(reversed(parts))


def _follow(error: BaseException) -> Iterator[BaseException]:
    """Go from an exception to its causes, and into groups; each once, for there may be circles."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if cause is not None:
            waiting.append(cause)


def _name(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, SayableError):
        return f"{name}: {error}"
    return f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name


def configure_logs(level: str, form: LogFormat | None = None) -> None:
    """Have everything that this process logs written to standard output; without a form, as fits what reads it."""
    handler = logging.StreamHandler(sys.stdout)
    # standard output may be closed, and then there is no sys.stdout to ask
    handler.setFormatter(FORMATTERS[form or ("text" if os.isatty(1) else "json")]())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    warnings.showwarning = log_warning
    # whoever read the log may have left; a trace for each line that they miss would fill standard error
    logging.raiseExceptions = False
    # no line says which thread or process it comes from; looking costs as much as the rest of a record
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def log_warning(  # noqa: PLR0917 - as Python calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a warning of Python's: what kind it is and where it was, not its words, which may hold values."""
    logging.getLogger("py.warnings").warning("%s at %s:%d", category.__name__, filename, lineno)


def log_loop_error(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Log what went wrong in a task or a callback that nobody waits for; the loop's own words would show values."""
    logging.getLogger("gradmark").error("a task or callback failed", exc_info=context.get("exception"))
