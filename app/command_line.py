"""The command line: ``python -m app`` with ``serve``, ``health``, ``key NAME --scopes …``, ``grade IN OUT``."""

import argparse
import http.client
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from app.access.keys import make_key, require_meant
from app.access.refusals import SCOPES
from app.logs import configure_logs
from app.marking.grade_command import grade_file
from app.settings import SettingError, Settings, require_known

SWITCH_SECONDS = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status: 2 for settings that make no sense, keys and secrets among them."""
    parsed = build_parser().parse_args(arguments)
    try:
        if parsed.command == "key":
            return print_key(parsed.name, parsed.scopes.split(","))
        settings = read_settings()
        if parsed.command == "grade":
            return grade_file(settings, parsed.submissions, parsed.grades, processes=parsed.processes)
        return {"serve": serve, "health": check_health}[parsed.command](settings)
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def read_settings() -> Settings:
    """Read the settings from the environment; a `SettingError` for what makes no sense in it."""
    require_known(os.environ)
    require_meant(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        found = [f"{item['loc'][0]}: {item['msg']}" for item in error.errors(include_url=False)]
        raise SettingError("\n".join(found)) from None


def build_parser() -> argparse.ArgumentParser:
    """Build what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Gradmark; settings come from GRADMARK_* variables."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="start the service")
    commands.add_parser("health", help="ask the service on this machine whether it lives; exit status 0 or 1")
    key = commands.add_parser("key", help="make a new API key; prints it, once, and the line to keep of it")
    key.add_argument("name", help="whose it is, for logs")
    key.add_argument("--scopes", required=True, help=f"what it is for, apart by commas: {', '.join(SCOPES)}")
    grade = commands.add_parser("grade", help="mark the submissions of a file, as /v1/grades/bulk does")
    grade.add_argument(
        "submissions",
        type=lambda text: Path("/dev/stdin" if text == "-" else text),
        help="JSON lines, each a grade request; the first may be defaults; - for standard input",
    )
    grade.add_argument(
        "grades",
        type=lambda text: Path("/dev/stdout" if text == "-" else text),
        help="where the reply goes, JSON lines in the same order and a summary; - for standard output",
    )
    grade.add_argument(
        "--processes", type=read_count, help="how many mark at once; by default one for each core that it may use"
    )
    return parser


def print_key(name: str, scopes: Sequence[str]) -> int:
    """Make a new API key and print it; return 1 if nobody can see it."""
    text, key = make_key(name, scopes)
    said = (
        f"the key, which is shown this once:\n{text}\n"
        f"the line for GRADMARK_KEYS or the file of GRADMARK_KEYS_FILE:\n{key.write()}\n"
    )
    try:
        # past the buffer, which would be written once more when the process ends; closed, there is no sys.stdout
        os.write(sys.stdout.fileno(), said.encode("ascii"))
    except (AttributeError, OSError):
        sys.stderr.write("no key was made: standard output cannot be written to\n")
        return 1
    return 0


def read_count(text: str) -> int:
    """Read how many there are to be of something."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError("needed a whole number above 0")
    return int(text)


def serve(settings: Settings) -> int:
    """Serve until a signal ends the process."""
    from app.main import create_app, queue_finder  # noqa: PLC0415 - the other commands start faster without
    from app.serving import run_server  # noqa: PLC0415 - as above

    app = create_app(settings)
    # a thread that computes gives way to one that answers after this time; by itself it would after five milliseconds
    sys.setswitchinterval(SWITCH_SECONDS)
    configure_logs(settings.log_level, settings.log_format)
    return run_server(app, settings, queue_finder(app))


def check_health(settings: Settings) -> int:
    """Ask the service that runs on this machine with these settings whether it lives; return 0 if it does, else 1."""
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, settings.port, timeout=3)
    try:
        connection.request("GET", "/health/live")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"no answer from {host}, port {settings.port}: {error}\n")
        return 1
    finally:
        connection.close()
