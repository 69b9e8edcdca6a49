"""Marking in bulk over sockets and on the command line: all lines answered, in constant memory, by the same bytes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.command_line import main
from tests.support.bulk_lines import DEFAULTS, HEADERS, count_lines, dump_lines, read_lines, submissions
from tests.support.server import ROOT, Server, assert_is_problem, environment, run_server

MEGABYTE = 2**20
BULK = "/v1/grades/bulk"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with run_server() as running:
        yield running


def require_all_answered(content: bytes, count: int) -> None:
    lines, summary = read_lines(content)
    assert len(lines) == count
    assert summary == count_lines(lines)
    # one of the six submissions names an unknown quantity
    assert summary["problems"] == count // 6
    assert summary["verdicts"]["correct"] == count // 6


def test_thousands_of_lines_sent_in_pieces_are_all_answered(server: Server) -> None:
    # the client reads nothing before it has sent everything
    reply = server.client.post(BULK, content=submissions(3000), headers=HEADERS)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/jsonl")
    require_all_answered(reply.content, 3000)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("option", ["--data-binary", "--upload-file"])
def test_thousands_of_lines_sent_by_curl_are_all_answered(server: Server, tmp_path: Path, option: str) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"".join(submissions(3000)))
    sent = f"@{file}" if option == "--data-binary" else "-"
    url = f"http://127.0.0.1:{server.port}{BULK}"
    command = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "-X",
        "POST",
        "-H",
        "Content-Type: application/jsonl",
        option,
        sent,
        url,
    ]
    with file.open("rb") as source:
        curl = subprocess.run(command, stdin=source, capture_output=True, timeout=60, check=True)
    require_all_answered(curl.stdout, 3000)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read a process's memory from")
def test_memory_does_not_grow_with_the_lines(server: Server) -> None:
    def stream(count: int, width: int) -> tuple[int, bytes]:
        received, last = 0, b""
        with server.client.stream("POST", BULK, content=submissions(count, width=width), headers=HEADERS) as reply:
            assert reply.status_code == 200
            for line in reply.iter_lines():
                received, last = received + 1, line.encode()
        return received, last

    stream(1000, 5000)
    before = server.memory("VmHWM")
    # a hundred megabytes
    received, last = stream(20_000, 5000)
    grown = server.memory("VmHWM") - before
    assert (received, json.loads(last)["summary"]["lines"]) == (20_001, 20_000)
    sys.stdout.write(f"100 MB of lines marked, the most memory held grew by {grown:,} bytes\n")
    assert grown < 64 * MEGABYTE


def test_health_answers_while_lines_are_marked(server: Server) -> None:
    with server.client.stream("POST", BULK, content=submissions(2000), headers=HEADERS) as reply:
        lines = reply.iter_lines()
        next(lines)
        other = httpx.get(f"http://127.0.0.1:{server.port}/health/live", timeout=1, trust_env=False)
        assert other.status_code == 200
        assert sum(1 for _ in lines) == 2000


def test_a_client_that_leaves_does_no_harm(server: Server) -> None:
    with server.client.stream("POST", BULK, content=submissions(5000), headers=HEADERS) as reply:
        next(reply.iter_lines())
    assert server.client.get("/health/live").status_code == 200


def test_a_server_that_dies_leaves_a_reply_without_a_summary() -> None:
    received = []

    def receive(server: Server) -> None:
        with server.client.stream("POST", BULK, content=submissions(20_000), headers=HEADERS) as reply:
            for chunk in reply.iter_bytes():
                received.append(chunk)
                server.process.kill()

    with run_server() as server, pytest.raises(httpx.RemoteProtocolError):
        receive(server)
    assert received
    assert b'"summary"' not in b"".join(received)


def test_a_bulk_of_the_limit_passes_and_one_byte_more_is_413() -> None:
    content = b"".join(submissions(50))
    with run_server(max_bulk_bytes=len(content), max_body_bytes=1000) as server:
        for body in (content, content + b"\n"):
            for sent in (body, (body[start : start + 99] for start in range(0, len(body), 99))):
                reply = server.client.post(BULK, content=sent, headers=HEADERS)
                if body is content:
                    assert read_lines(reply.content)[1]["lines"] == 50
                else:
                    assert_is_problem(reply, 413)


# the command


def grade(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "grade", *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_writes_the_bytes_that_the_service_sends(server: Server, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(submissions(600)) + b"{bad\n\n" + dump_lines(DEFAULTS))
    command = grade(source, target)
    assert (command.returncode, command.stdout) == (0, "")
    # the progress bar
    assert "100%" in command.stderr
    reply = server.client.post(BULK, content=source.read_bytes(), headers=HEADERS)
    assert target.read_bytes() == reply.content
    assert read_lines(reply.content)[1]["problems"] == 102


def run_main(capsys: pytest.CaptureFixture[str], source: Path, target: Path) -> tuple[int, str]:
    status = main(["grade", str(source), str(target)])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dump_lines({"defaults": {"feedback": "all"}}), "found a string that is not a choice"),
        (dump_lines({"defaults": {"tolerance": {"absolute": 1e9}}}), "any answer would be right"),
        (b'{"defaults": {},}', "not JSON"),
    ],
)
def test_defaults_that_are_wrong_end_the_command_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, message: str
) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(content)
    status, said = run_main(capsys, source, target)
    assert status == 2
    assert said.startswith(f"{source}: ")
    assert message in said
    assert not target.exists()


def test_a_file_that_cannot_be_read_or_written_ends_the_command_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = tmp_path / "in.jsonl"
    assert run_main(capsys, source, tmp_path / "out.jsonl") == (2, f"{source}: No such file or directory\n")
    assert not (tmp_path / "out.jsonl").exists()
    assert run_main(capsys, tmp_path, tmp_path / "out.jsonl") == (2, f"{tmp_path}: Is a directory\n")
    source.write_bytes(dump_lines(DEFAULTS))
    nowhere = tmp_path / "nowhere" / "out.jsonl"
    assert run_main(capsys, source, nowhere) == (2, f"{nowhere}: No such file or directory\n")


def test_the_command_does_not_overwrite_the_submissions(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, other = tmp_path / "in.jsonl", tmp_path / "other.jsonl"
    source.write_bytes(dump_lines(DEFAULTS))
    other.symlink_to(source)
    for target in (source, other):
        status, said = run_main(capsys, source, target)
        assert (status, said) == (2, f"{target}: the reply would overwrite the submissions\n")
    assert source.read_bytes() == dump_lines(DEFAULTS)


def test_the_command_run_in_process_marks_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(submissions(12)))
    target.write_bytes(b"what was there before")
    assert run_main(capsys, source, target)[0] == 0
    require_all_answered(target.read_bytes(), 12)
