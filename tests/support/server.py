"""The real server, in a process of its own, on a free port of this machine, and what is sent to it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from app.errors import MEDIA_TYPE

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
STOP_SECONDS = 20
SOON = 8
"""Seconds in which a server that is told to stop has ended."""

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    process: Process
    port: int
    client: httpx.Client
    log: BinaryIO

    def logged(self) -> bytes:
        """Read what it has written so far."""
        # at a place of its own: the process goes on writing where the file is
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0)

    def memory(self, field: str) -> int:
        """Read a figure of the process in bytes: "VmRSS" is what it holds, "VmHWM" the most it ever held."""
        return read_memory(self.process.pid, field)


def read_memory(pid: int, field: str) -> int:
    """Read the same of any process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


@contextmanager
def run_server(module: str = "app", /, **settings: object) -> Iterator[Server]:
    """Start the server with these settings, wait until it is ready, and end it, and only it, afterwards.

    It takes no requests after SIGTERM unless the settings say so: most tests want it to end.
    """
    port = find_free_port()
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command("serve", module),
            cwd=ROOT,
            env=environment(port=port, **{"log_level": "warning", "drain_seconds": 0} | settings),
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                wait_until_ready(process, client)
                yield Server(process, port, client, log)
        except BaseException as error:
            log.seek(0)
            error.add_note("the server wrote: " + log.read().decode(errors="replace"))
            raise
        finally:
            stop(process)


def command(name: str, module: str = "app") -> list[str]:
    """Return the command line of a command without arguments, or its beginning."""
    return [sys.executable, "-m", module, name]


def environment(**settings: object) -> dict[str, str]:
    """Return this process's environment with these settings of the service and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GRADMARK_")}
    return inherited | {f"GRADMARK_{name.upper()}": str(value) for name, value in settings.items()}


def find_free_port() -> int:
    """Return a port of this machine that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop(process: Process) -> None:
    """End a process that may have ended already."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def dump(body: object) -> bytes:
    """Write a body as JSON."""
    return json.dumps(body, separators=(",", ":")).encode()


def post(server: Server, path: str, content: bytes | Iterator[bytes]) -> httpx.Response:
    """Send a body as it is, in pieces if it comes in pieces."""
    return server.client.post(path, content=content, headers={"Content-Type": "application/json"})


def assert_is_problem(reply: httpx.Response, status: int) -> None:
    """Check that a reply is a problem document of this status; pytest explains no asserts of this file."""
    assert reply.status_code == status, reply
    assert reply.headers["content-type"] == MEDIA_TYPE, reply.headers
    document = reply.json()
    assert document["status"] == status, document
    assert document["request_id"] == reply.headers["x-request-id"], (document, reply.headers)


def assert_is_busy(reply: httpx.Response, code: str, number: str) -> None:
    """Check that a reply tells to come again, for this reason and with this limit."""
    assert_is_problem(reply, 503)
    assert reply.headers["retry-after"] == "1", reply.headers
    [error] = reply.json()["errors"]
    assert error["code"] == code, error
    assert number in error["message"], error


def seconds_to_end(process: Process) -> float:
    """Wait until a process has ended; return how long it took."""
    started = time.monotonic()
    process.wait(20)
    return time.monotonic() - started


def wait_until_ready(process: Process, client: httpx.Client) -> None:
    """Wait until a server that starts is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once, with exit status {process.returncode}")
        try:
            if client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise TimeoutError("the server was not ready in time")
