"""Replies in bulk piece by piece: as many bytes as before, and never many of them at once."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from app.bulk import PIECE_BYTES, Bulk, marking
from app.grade_file import BYTES_EACH
from core.budget import Budget
from tests.app.bombs import TALKATIVE
from tests.app.bulk_lines import DEFAULTS, dump_lines, read_lines, submissions
from tests.app.placing import EVERYBODY
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
    monkeypatch.setattr(marking, "PIECE_BYTES", 1)
    pieces = mark(content)
    assert len(pieces) == 60
    assert b"".join(pieces) == whole


def test_a_piece_ends_when_it_has_taken_long(monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = mark(WRONG)
    monkeypatch.setattr(marking, "PIECE_SECONDS", 0.0)
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
