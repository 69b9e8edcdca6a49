"""How the real server stops before it is ready: at once, with status 0 and without a word."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest

from tests.support.dispatching import children_of, is_worker, wait_until_gone
from tests.support.server import ROOT, SOON, command, environment, find_free_port


def wait_until_live(process: subprocess.Popen[bytes], client: httpx.Client) -> None:
    while True:
        assert process.poll() is None
        with suppress(httpx.TransportError):
            client.get("/health/live")
            return
        time.sleep(0.02)


def test_a_server_that_is_stopped_while_it_warms_up_never_says_that_it_is_ready() -> None:
    port = find_free_port()
    settings = environment(port=port, drain_seconds=2, log_level="warning")
    with (
        subprocess.Popen(command("serve"), cwd=ROOT, env=settings) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        wait_until_live(process, client)
        process.terminate()
        states = set()
        while process.poll() is None:
            with suppress(httpx.TransportError):
                states.add(client.get("/health/ready").json()["detail"])
            time.sleep(0.05)
    assert process.returncode == 0
    assert states - {"the service is warming up"} == {"the service is draining"}


def test_a_server_that_is_stopped_while_it_warms_up_ends_at_once_and_has_nothing_to_say() -> None:
    port = find_free_port()
    with (
        subprocess.Popen(
            command("serve"),
            cwd=ROOT,
            env=environment(port=port, drain_seconds=0, log_level="warning"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        wait_until_live(process, client)
        assert client.get("/health/ready").json()["detail"] == "the service is warming up"
        process.terminate()
        said, _ = process.communicate(timeout=SOON)
    assert process.returncode == 0
    # that it is open, and what tokens are signed with
    assert [json.loads(line)["message"][:8] for line in said.splitlines()] == ["no keys ", "no token"]


def test_a_process_that_does_not_get_warm_does_not_hold_up_the_stop() -> None:
    settings = environment(port=find_free_port(), drain_seconds=0, log_level="error")
    with subprocess.Popen(command("serve"), cwd=ROOT, env=settings) as process:
        while not (workers := [pid for pid in children_of(process.pid) if is_worker(pid)]):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(workers[0], signal.SIGSTOP)
        process.terminate()
        try:
            assert process.wait(SOON) == 0
            wait_until_gone(workers[0])
        finally:
            with suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGKILL)


STOPPED_AT_AN_IMPORT = """
import os, runpy, signal, sys

moment = sys.argv.pop()

class Finder:
    def find_spec(name, path=None, target=None):
        if name == moment:
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Finder)
runpy.run_module("app", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["numpy", "app.main", "uvloop"])
def test_a_server_that_is_stopped_before_it_serves_ends_at_once(module: str) -> None:
    start = subprocess.run(
        [sys.executable, "-c", STOPPED_AT_AN_IMPORT, "serve", module],
        cwd=ROOT,
        env=environment(port=find_free_port()),
        capture_output=True,
        timeout=SOON,
        check=False,
    )
    assert (start.returncode, start.stdout, start.stderr) == (0, b"", b"")
