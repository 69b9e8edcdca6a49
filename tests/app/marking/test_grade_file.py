"""The command that marks a file: the same bytes from any number of processes, and an end whatever happens to one."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.command_line import main
from app.marking.grade_command import BYTES_EACH
from app.marking.lines import CHUNK_BYTES, is_too_long, read_chunk, split_lines
from tests.support.bulk_lines import dump_lines, read_lines, slow_submissions, submissions
from tests.support.server import ROOT, environment

NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to find processes in")
SECONDS = 60


def write_mixed(file: Path, count: int) -> None:
    """Write all kinds of lines, and enough of them for several processes."""
    lines = deque(submissions(count, width=300))
    source = random.Random(0)
    with file.open("wb") as target:
        target.write(b"\xef\xbb\xbf\n \n" + lines.popleft())
        while lines:
            line = lines.popleft()
            target.write(line.replace(b"{", b'{"id": "%d", ' % len(lines), 1) if source.random() < 0.8 else line)
            target.write(
                source.choice(
                    [b"", b"", b"", b"\n", b" \r\n", b"{bad\n", dump_lines({"answers": {"L": source.random()}})]
                )
            )


@contextmanager
def start_grading(source: Path, target: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start the command with two processes, and wait until something is written and both are marking."""
    # whoever runs the tests in the background may have them ignore SIGINT, and what is ignored stays so in a child
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "app", "grade", str(source), str(target), "--processes", "2"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + SECONDS
            workers: list[int] = []
            while (
                not target.exists()
                or target.read_bytes().count(b"\n") < 10
                or len(workers) < 2
                or not all(has_open(worker, target) for worker in workers)
            ):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
                workers = find_workers(process.pid)
            yield process, workers
        finally:
            process.kill()


def has_open(process: int, file: Path) -> bool:
    """Tell whether a process has opened a file."""
    with suppress(OSError):
        return any(each.samefile(file) for each in Path(f"/proc/{process}/fd").iterdir() if each.exists())
    return False


def find_workers(parent: int) -> list[int]:
    """Return the processes that another one has started to mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            # it has ended meanwhile
            continue
    return found


def run_main(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = main(["grade", *map(str, arguments)])
    return status, capsys.readouterr().err


def test_any_number_of_processes_write_the_same_bytes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what workers are told of it is not left behind
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    source = tmp_path / "in.jsonl"
    write_mixed(source, 3000)
    assert source.stat().st_size > 3 * BYTES_EACH
    replies = []
    for processes in (1, 2, 3):
        target = tmp_path / f"{processes}.jsonl"
        target.write_bytes(b"what was there before")
        status, said = run_main(capsys, source, target, "--processes", processes)
        assert status == 0
        assert "100%" in said
        replies.append(target.read_bytes())
    assert replies[0] == replies[1] == replies[2]
    lines, summary = read_lines(replies[0])
    assert summary["lines"] == len(lines) > 3000
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
@pytest.mark.parametrize("processes", [1, 2])
def test_the_reply_may_go_to_a_pipe(tmp_path: Path, processes: int) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"".join(submissions(3000, width=300)))
    command = [sys.executable, "-m", "app", "grade", str(source), "/dev/stdout", "--processes", str(processes)]
    reply = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=SECONDS, check=True)
    assert read_lines(reply.stdout)[1]["lines"] == 3000


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="there is no /dev/stdin")
@pytest.mark.parametrize("name", ["/dev/stdin", "-"])
@pytest.mark.parametrize("is_pipe", [True, False])
def test_submissions_may_come_from_standard_input(tmp_path: Path, name: str, is_pipe: bool) -> None:
    source = tmp_path / "in.jsonl"
    # enough for two processes, whose own standard input is empty
    source.write_bytes(b"".join(submissions(3000, width=300)))
    command = [sys.executable, "-m", "app", "grade", name, "-", "--processes", "2"]
    with source.open("rb") as file:
        given: dict[str, Any] = {"input": file.read()} if is_pipe else {"stdin": file}
        reply = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, timeout=SECONDS, check=True, **given
        )
    lines, summary = read_lines(reply.stdout)
    assert summary["lines"] == len(lines) == 3000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_that_ends_at_once_is_an_empty_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pipe, target = tmp_path / "pipe", tmp_path / "out.jsonl"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: pipe.open("wb").close())
        assert run_main(capsys, pipe, target)[0] == 0
    assert read_lines(target.read_bytes())[1]["lines"] == 0


def test_submissions_that_cannot_be_read_are_named_with_the_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for source, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        status, said = run_main(capsys, source, tmp_path / "out.jsonl")
        assert (status, said) == (2, f"{source}: {reason}\n")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file that opens and cannot be read")
def test_submissions_that_fail_while_they_are_read_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # nothing can be read from its beginning
    source = f"/proc/{os.getpid()}/mem"
    assert run_main(capsys, source, tmp_path / "out.jsonl") == (2, f"{source}: Input/output error\n")


@pytest.mark.parametrize("count", ["0", "-1", "two"])
def test_a_number_of_processes_that_makes_no_sense_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, count: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["grade", str(tmp_path / "in"), str(tmp_path / "out"), "--processes", count])
    assert ended.value.code == 2
    assert "--processes: needed a whole number above 0\n" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_ends_the_command_with_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, processes: int
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"".join(submissions(4000, width=300)))
    status, said = run_main(capsys, source, "/dev/full", "--processes", processes)
    assert status == 2
    assert said.splitlines()[-1] == "/dev/full: No space left on device"


@NEEDS_PROC
def test_a_worker_that_is_killed_ends_the_command_without_a_summary(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(slow_submissions(3000)))
    with start_grading(source, target) as (process, workers):
        assert len(workers) == 2
        os.kill(workers[1], signal.SIGKILL)
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 1
        assert "a process that marked has ended before its work was done; the reply is cut\n" in said
    assert b'"summary"' not in target.read_bytes()
    assert find_ended(workers)


@NEEDS_PROC
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_command(tmp_path: Path, end: signal.Signals) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(slow_submissions(3000)))
    with start_grading(source, target) as (process, workers):
        assert len(workers) == 2
        process.send_signal(end)
        process.communicate(timeout=SECONDS)
        assert process.returncode == -end
        assert find_ended(workers)
    assert b'"summary"' not in target.read_bytes()


WAITING = """
import multiprocessing, os, sys, threading, time
from pathlib import Path
from app.marking.grade_command import Files, Part, import_marking, mark_part
from app.work.pool import Pool
from tests.support.bulk_lines import open_lines

files, (_, terms) = Files(*map(Path, sys.argv[1:])), open_lines(b"")
pool = Pool(1, import_marking)
pool.start()
# the part before it is nobody's
part = Part(1, 0, 0, files.source.stat().st_size)
threading.Thread(target=pool.run, args=(mark_part, terms, files, part), daemon=True).start()
time.sleep(2)
[worker] = multiprocessing.active_children()
print(worker.pid, flush=True)
os._exit(0)
"""


@NEEDS_PROC
def test_a_worker_that_waits_for_its_turn_to_write_ends_with_the_command(tmp_path: Path) -> None:
    source, target, written = (tmp_path / name for name in ("in.jsonl", "out.jsonl", "written"))
    source.write_bytes(dump_lines({"answers": {}}))
    target.touch()
    written.write_bytes(bytes(8))
    ended = subprocess.run(
        [sys.executable, "-c", WAITING, source, target, written],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    assert find_ended([int(ended.stdout)])
    assert not target.read_bytes()


def find_ended(workers: list[int]) -> bool:
    """Wait until processes have ended, and tell whether they have."""
    deadline = time.monotonic() + SECONDS
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


CHUNKS = [
    b"",
    b"a",
    b"a\n",
    b"\n",
    b"a\n\nb\n",
    b" a\nb",
    b"a\r\n\r\nb\r\n",
    b"a\n \t\r\x0b\x0c\nb\n",
    b"a\rb\n\x85\n",
    b"aaaa\n    \n     \n      \n",
]


@pytest.mark.parametrize("content", CHUNKS)
def test_every_line_is_in_one_chunk_whatever_their_size(content: bytes) -> None:
    for longest in (3, 4, 5, 100):
        lines = split_lines(content, longest)
        for size in (1, 2, 3, 7, 100):
            file = io.BytesIO(content)
            chunks = list(iter(lambda: read_chunk(file, longest, size), b""))  # noqa: B023 - used at once
            found = [line for chunk in chunks for line in split_lines(chunk, longest)]
            assert [line[:longest] for line in found] == [line[:longest] for line in lines]
            assert [is_too_long(line, longest) for line in found] == [is_too_long(line, longest) for line in lines]
            assert all(len(chunk) <= max(size, longest + 1) for chunk in chunks)


def test_of_a_line_that_is_far_too_long_little_is_kept_and_the_next_one_is_read() -> None:
    file = io.BytesIO(b"x" * (3 * CHUNK_BYTES) + b"\n{}\n")
    assert is_too_long(read_chunk(file, longest=100), 100)
    assert read_chunk(file, longest=100) == b"{}\n"
