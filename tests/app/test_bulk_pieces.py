"""Replies in bulk piece by piece: as many bytes as before, and never many of them at once."""

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.types import Message

from app.main import create_app
from app.marking import PIECE_BYTES, Bulk, chunks
from app.marking.grade_command import BYTES_EACH
from app.settings import Settings
from core.budget import Budget
from tests.app.bombs import TALKATIVE
from tests.app.bulk_lines import DEFAULTS, dump_lines, read_lines, submissions
from tests.app.dispatching import EVERYBODY
from tests.app.server import ROOT, environment

MEGABYTE = 2**20
LINES = b"".join(submissions(60))
# each wrong in a way of its own, so that each is marked by itself
WRONG = dump_lines(DEFAULTS, *({"answers": {"L": 2 + number / 1000}} for number in range(60)))
[TALKING] = TALKATIVE


def mark(content: bytes) -> list[bytes]:
    """Mark lines; return the pieces of the reply, without the summary."""
    *pieces, summary = (
        bytes(piece) for piece in Bulk(io.BytesIO(content), caller=EVERYBODY, budget=Budget(), longest=10**7).replies()
    )
    read_lines(b"".join([*pieces, summary]))
    return pieces


def test_a_piece_ends_with_the_line_that_makes_it_large() -> None:
    pieces = mark(b"\n".join(TALKING.body.splitlines()[:4]))
    assert len(pieces) == 3
    assert all(piece.count(b"\n") == 1 and len(piece) > PIECE_BYTES for piece in pieces)


@pytest.mark.parametrize("content", [LINES, WRONG])
def test_pieces_of_any_size_are_the_same_reply(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = mark(content)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 1)
    pieces = mark(content)
    assert len(pieces) == 60
    assert b"".join(pieces) == whole


def test_a_piece_ends_when_it_has_taken_long(monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = mark(WRONG)
    monkeypatch.setattr(chunks, "PIECE_SECONDS", 0.0)
    pieces = mark(WRONG)
    assert len(pieces) == 60
    assert b"".join(pieces) == whole


def test_after_each_line_that_is_marked_by_itself_it_gives_way_and_after_others_it_need_not() -> None:
    for content, times in ((WRONG, 60), (dump_lines(DEFAULTS, *[{"answers": {"L": 2}}] * 60), 1)):
        taken: list[float] = []
        bulk = Bulk(io.BytesIO(content), caller=EVERYBODY, budget=Budget(), longest=10**7, give_way=taken.append)
        assert list(bulk.replies())
        assert len(taken) == times
        assert all(seconds > 0 for seconds in taken)


def test_where_there_are_blank_lines_only_there_are_pieces_too_between_which_a_client_may_leave() -> None:
    content = dump_lines({"answers": {}}) + b"\n" * MEGABYTE
    assert (
        sum(not piece for piece in Bulk(io.BytesIO(content), caller=EVERYBODY, budget=Budget(), longest=99).replies())
        > 3
    )


def test_defaults_may_stand_behind_many_blank_lines() -> None:
    content = dump_lines(DEFAULTS, {"answers": {"L": 2}})
    assert mark(b"\r\n" * 150_001 + b"  " + content) == mark(content)


@pytest.mark.anyio
async def test_a_bulk_reply_goes_to_the_server_in_small_pieces() -> None:
    app = create_app(Settings.model_construct())
    to_come = [b"\n".join(TALKING.body.splitlines()[:3])]
    sizes: list[int] = []

    async def receive() -> Message:
        # a client that stays, and has nothing more to say
        return {"type": "http.request", "body": to_come.pop()} if to_come else await asyncio.Future()

    async def send(message: Message) -> None:
        sizes.append(len(message.get("body", b"")))

    headers = [(b"content-type", b"application/jsonl")]
    await app(
        {
            "type": "http",
            "method": "POST",
            "path": "/v1/grades/bulk",
            "query_string": b"",
            "headers": headers,
            "extensions": {},
        },
        receive,
        send,
    )
    assert sum(sizes) > 10 * MEGABYTE
    assert max(sizes) <= PIECE_BYTES


COMMAND = """
import resource, sys
from app.command_line import main
status = main(["grade", *sys.argv[1:]])
# what a process says of itself may be what the one that started it held
[own] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to read a process's memory from")
def test_the_command_holds_little_of_a_long_reply_in_any_number_of_processes(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    # all in one chunk, and with blank lines enough for two processes
    lines = b"\n".join(TALKING.body.splitlines()[:11])
    source.write_bytes(lines + b"\n" * 2 * BYTES_EACH)
    replies = []
    for processes in ("1", "2"):
        target = tmp_path / f"{processes}.jsonl"
        command = [sys.executable, "-c", COMMAND, str(source), str(target), "--processes", processes]
        ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=True, timeout=60)
        held = int(ended.stdout) * 1024
        assert target.stat().st_size > 100 * MEGABYTE
        assert held < 200 * MEGABYTE
        replies.append(target.read_bytes())
    assert replies[0] == replies[1]
