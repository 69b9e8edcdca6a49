"""Replies in bulk piece by piece: as many bytes as before, and never many of them at once."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.types import Message

from app.api.route import PIECE_BYTES as SENT_BYTES
from app.main import create_app
from app.marking import chunks
from app.marking.chunks import PIECE_BYTES, mark_chunk
from app.marking.grade_command import BYTES_EACH
from app.marking.lines import CHUNK_BYTES
from app.settings import Settings
from tests.support.bombs import TALKATIVE
from tests.support.bulk_lines import DEFAULTS, dump_lines, mark, mark_in_pieces, open_lines, read_lines, submissions
from tests.support.server import ROOT, environment

MEGABYTE = 2**20
LINES = b"".join(submissions(60))
# each wrong in a way of its own, so that each is marked by itself
WRONG = dump_lines(DEFAULTS, *({"answers": {"L": 2 + number / 1000}} for number in range(60)))
[TALKING] = TALKATIVE


def test_a_piece_ends_with_the_line_that_makes_it_large() -> None:
    *pieces, _ = mark_in_pieces(b"\n".join(TALKING.body.splitlines()[:4]))
    assert len(pieces) == 3
    assert all(piece.count(b"\n") == 1 and len(piece) > PIECE_BYTES for piece in pieces)


@pytest.mark.parametrize("content", [LINES, WRONG, LINES.replace(b"\n", b"\n \r\n\n")])
def test_pieces_of_any_size_are_the_same_reply(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, summary = mark_in_pieces(content)
    monkeypatch.setattr(chunks, "PIECE_BYTES", 1)
    pieces = [piece for piece in mark_in_pieces(content) if piece]
    assert len(pieces) == 61
    assert b"".join(pieces) == whole + summary


def test_a_chunk_that_takes_long_is_left_and_gone_on_with_later() -> None:
    file, terms = open_lines(WRONG)
    rest = file.read()
    pieces: list[bytes] = []
    while rest:
        marked = mark_chunk(terms, rest, len(pieces), 0.0)
        assert (marked.summary.lines, marked.reply.count(b"\n")) == (1, 1)
        pieces.append(marked.reply)
        assert len(marked.rest) < len(rest)
        rest = marked.rest
    assert len(pieces) == 60
    assert mark(WRONG).startswith(b"".join(pieces))


def test_more_requests_than_are_kept_may_be_marked_in_turn() -> None:
    contents = [
        dump_lines({"defaults": DEFAULTS["defaults"] | {"feedback": level}}, *[{"answers": {"L": 2}}] * 20)
        for level in ("verdict", "location", "diagnosis", "full") * 2
    ]
    opened = [open_lines(content) for content in contents]
    replies = [b""] * len(opened)
    for first in range(20):
        for number, (file, terms) in enumerate(opened):
            replies[number] += mark_chunk(terms, file.readline(), first).reply
    for content, reply in zip(contents, replies, strict=True):
        assert mark(content).startswith(reply)
        assert reply.count(b"\n") == 20


def test_defaults_may_stand_behind_many_blank_lines() -> None:
    content = dump_lines(DEFAULTS, {"answers": {"L": 2}})
    assert mark(b"\r\n" * 150_001 + b"  " + content) == mark(content)


def test_a_line_has_the_same_reply_wherever_it_stands_in_a_chunk() -> None:
    line = dump_lines({"answers": {"L": 2}})
    for size in (CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES):
        long_line = line.replace(b"2", b"2".ljust(size - len(line) + 1))
        assert len(long_line) == size
        lines, _ = read_lines(mark(dump_lines(DEFAULTS) + line + long_line + line + long_line.removesuffix(b"\n")))
        assert [each["grade"] for each in lines] == [lines[0]["grade"]] * 4


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
    assert max(sizes) <= SENT_BYTES


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
