"""Lines that are marked together: the bytes of the reply are those of lines that are marked one by one."""

import random
from typing import Any

import pytest

from app.marking import templates
from app.marking.chunks import Recent
from tests.support.alike_lines import ALIKE, count_marked, right_lines, truths, write_lines
from tests.support.bulk_lines import DEFAULTS, dump_lines, mark, mark_one_by_one, read_lines

Json = dict[str, Any]


@pytest.mark.parametrize(("ids", "defaults"), ALIKE)
def test_lines_marked_together_have_the_replies_of_lines_marked_one_by_one(
    ids: tuple[str, ...], defaults: Json
) -> None:
    source = random.Random(0)
    content = dump_lines({"defaults": defaults}) + b"".join(write_lines(truths(defaults, ids), 1000, source))
    assert mark(content) == mark_one_by_one(content)


def test_lines_that_are_right_to_the_last_digit_are_marked_by_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    several = right_lines(1000, "S", "dL_dW")
    assert count_marked(dump_lines(DEFAULTS) + b"".join(several), monkeypatch) == 1
    # two templates in turn, and blank lines
    mixed = [line for pair in zip(several, right_lines(1000, "L"), strict=True) for line in (*pair, b"\n")]
    assert count_marked(dump_lines(DEFAULTS) + b"".join(mixed), monkeypatch) == 2


def test_a_line_that_no_parser_of_numbers_takes_is_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = right_lines(1000, "L")
    lines[500] = b'{"answers": {"L": 1e400}}\n'
    lines[700] = b'{"answers": {"L": }}\n'
    lines[800] = b'{"answers": {"L": 123456789012345678901234567890}}\n'
    # the line without an answer is no request
    assert count_marked(dump_lines(DEFAULTS) + b"".join(lines), monkeypatch) == 3


def test_without_simdjson_every_line_is_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dump_lines(DEFAULTS) + b"".join(right_lines(20, "L"))
    together = mark(content)
    monkeypatch.setattr(templates, "simdjson", None)
    assert count_marked(content, monkeypatch) == 20
    assert mark(content) == together


def test_the_same_wrong_line_is_marked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [dump_lines({"answers": {"L": value}}) for value in (1, 2, 3)]
    content = dump_lines(DEFAULTS) + b"".join(wrong * 50)
    assert count_marked(content, monkeypatch) == 3
    assert mark(content) == mark_one_by_one(content)


def test_quantities_that_differ_in_a_number_are_marked_by_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for pair in zip(right_lines(100, "Z"), right_lines(100, "Z"), strict=True) for line in pair]
    lines[1::2] = [line.replace(b"Z", b"Z1") for line in lines[1::2]]
    assert count_marked(dump_lines(DEFAULTS) + b"".join(lines), monkeypatch) == 2


def test_a_line_that_is_too_long_is_told_among_others_that_are_alike() -> None:
    lines = right_lines(1000, "L")
    lines[20] = lines[900] = lines[0].replace(b"}}", b"0" * 2000 + b"}}")
    content = dump_lines(DEFAULTS) + b"".join(lines)
    for longest in (len(lines[20]) - 2, len(lines[20]) - 1):
        reply = mark(content, longest=longest)
        assert reply == mark_one_by_one(content, longest=longest)
        assert read_lines(reply)[1]["problems"] == 2 * (longest == len(lines[20]) - 2)


def test_wrong_lines_among_right_ones_of_one_form_are_marked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = right_lines(1000, "L")
    # the last chunks hold nothing of another template
    for number in range(900, 1000, 10):
        lines[number] = dump_lines({"answers": {"L": float(number)}})
    lines[950] = dump_lines({"answers": {"L": 1.5279}})
    content = dump_lines(DEFAULTS) + b"".join(lines)
    assert count_marked(content, monkeypatch) == 11
    assert mark(content) == mark_one_by_one(content)


def test_what_was_used_last_is_kept() -> None:
    recent: Recent[str] = Recent(2)
    recent.put("a", "first")
    recent.put("b", "second")
    assert recent.get("a") == "first"
    recent.put("c", "third")
    assert [recent.get(key) for key in "abc"] == ["first", None, "third"]


def test_no_more_bytes_are_kept_than_there_is_room_for_or_the_last_value_alone() -> None:
    recent: Recent[str] = Recent(10, 100)
    for name in "abc":
        recent.put(name, name.upper(), 40)
    assert [recent.get(name) for name in "abc"] == [None, "B", "C"]
    recent.put("d", "D", 101)
    assert [recent.get(name) for name in "abcd"] == [None, None, None, "D"]
    recent.put("e", "E", 100)
    assert [recent.get(name) for name in "de"] == [None, "E"]
