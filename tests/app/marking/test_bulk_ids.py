"""Ids of lines: they come back with the reply, whichever way the line was marked, and lines still share replies."""

import json
import random
from typing import Any

import httpx
import pytest

from app.marking.ids import take_id, take_ids
from tests.support.alike_lines import ALIKE, count_marked, right_lines, truths, write_lines
from tests.support.bulk_lines import (
    DEFAULTS,
    HEADERS,
    dump_lines,
    mark,
    mark_one_by_one,
    read_lines,
)

Json = dict[str, Any]

RIGHT = {"answers": {"L": 1.5279}}


def with_id(line: bytes, text: str, place: str, *, ascii_only: bool = True) -> bytes:
    """Write an id into a line that is an object, whatever else is wrong with it."""
    member = f'"id": {json.dumps(text, ensure_ascii=ascii_only)}'.encode()
    if place == "first":
        return line.replace(b"{", b"{" + member + b", ", 1)
    start, end, rest = line.rpartition(b"}")
    return start + b", " + member + end + rest if end else line


TAKEN = [
    ('{"id": "a", "answers": {}}', "a", '{"answers": {}}'),
    ('{"id":"a","answers":{}}\n', "a", '{"answers":{}}\n'),
    ('\t { "id" :\t"a" ,\t"answers": {}}\r\n', "a", '\t {"answers": {}}\r\n'),
    ('{"answers": {}, "id": "a"}\n', "a", '{"answers": {}}\n'),
    ('{"answers": {} ,\t"id" : "a" } \r\n', "a", '{"answers": {}} \r\n'),
    ('{"follow_through":true,"id":""}', "", '{"follow_through":true}'),
    ('{"id": "\\u00fc \\" \\\\", "answers": {}}', 'ü " \\', '{"answers": {}}'),
    ('{"id": "ü😀\x7f", "answers": {}}', "ü😀\x7f", '{"answers": {}}'),
    ('{"id": "a}, ]", "answers": {"L": "\\"id\\""}}', "a}, ]", '{"answers": {"L": "\\"id\\""}}'),
]


@pytest.mark.parametrize(("line", "text", "bare"), TAKEN)
def test_an_id_is_taken_out_of_a_line(line: str, text: str, bare: str) -> None:
    found = take_id(line.encode())
    assert (found.raw, found.bare) == (line.encode(), bare.encode())
    assert json.loads(b"{" + found.id.removeprefix(b",") + b"}") == {"id": text}


@pytest.mark.parametrize(
    "line",
    [
        '{"answers": {}}',
        '{"id": "a"}',
        '{"id": "a",}',
        '{, "id": "a"}',
        '{"answers": {}, "id": "a", "feedback": "hint"}',
        '{"answers": {"id": "a"}}',
        '{"id": "a", "answers": {"id": 1}}',
        '{"id": "a", "id": "b", "answers": {}}',
        '{"id": "a", "\\u0069d": "b", "answers": {}}',
        '{"id": "a", "i\\u0064": "b", "answers": {}}',
        '{"id": 1, "answers": {}}',
        '{"id": null, "answers": {}}',
        '{"id": "\\ud800", "answers": {}}',
        '{"id": "a\x01", "answers": {}}',
        '{"id": "a", answers: {}}',
        '[{"id": "a", "answers": {}}]',
        '{"answers": [, "id": "a"}',
        '{"answers": , "id": "a"}',
        'id": "a", "answers": {}}',
    ],
)
def test_an_id_that_may_be_another_or_wrong_is_left_to_the_reader(line: str) -> None:
    assert take_id(line.encode()) == (line.encode(), line.encode(), b"")


def test_text_that_is_no_utf_8_is_left_to_the_reader() -> None:
    line = b'{"id": "\xff", "answers": {}}'
    assert take_id(line).bare is line


@pytest.mark.parametrize("place", ["first", "last"])
def test_ids_are_taken_at_once_as_they_are_one_by_one(place: str) -> None:
    lines = [with_id(line, f"s-{n}", place) for n, line in enumerate(right_lines(20, "L", "S"))]
    each = [take_id(line) for line in lines]
    assert take_ids(b"".join(lines)) == (b"".join(line.bare for line in each), [line.id for line in each])
    for odd in (
        b"\n",
        b'{"answers": {}}\n',
        lines[0].replace(b"s-0", "ü".encode()),
        lines[0].replace(b"s-0", b"\\u0061"),
    ):
        assert take_ids(b"".join([*lines, odd])) is None
    assert take_ids(b"".join(lines)[:-1]) is None
    assert take_ids(lines[0] + with_id(right_lines(1, "L")[0], "a", "last" if place == "first" else "first")) is None


def strip_ids(lines: list[Json]) -> list[Json]:
    return [{key: part for key, part in line.items() if key != "id"} for line in lines]


@pytest.mark.parametrize("place", ["first", "last", "mixed"])
@pytest.mark.parametrize(("ids", "defaults"), ALIKE[:2])
def test_an_id_changes_nothing_of_a_reply_but_that_it_has_it(place: str, ids: tuple[str, ...], defaults: Json) -> None:
    source = random.Random(1)
    expected = truths(defaults, ids)
    plain = list(write_lines(expected, 200, source))
    places = source.choices(["first", "last"], k=200) if place == "mixed" else [place] * 200
    named = [
        with_id(line, source.choice([f"s-{n}", "same", "ü", 'a"b']), where, ascii_only=source.random() < 0.5)
        for n, (line, where) in enumerate(zip(plain, places, strict=True))
    ]
    content = dump_lines({"defaults": defaults}) + b"".join(named)
    reply = mark(content)
    assert reply == mark_one_by_one(content)
    lines, summary = read_lines(reply)
    others, other_summary = read_lines(mark(dump_lines({"defaults": defaults}) + b"".join(plain)))
    assert summary["verdicts"] == other_summary["verdicts"]
    assert [line.get("grade") for line in lines] == [line.get("grade") for line in others]
    assert sum("id" in line for line in lines) > 180


@pytest.mark.parametrize("place", ["first", "last"])
def test_lines_that_differ_in_their_ids_alone_share_a_grade(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = [with_id(line, f"s-{n}", place) for n, line in enumerate(right_lines(1000, "L", "S"))]
    assert count_marked(dump_lines(DEFAULTS) + b"".join(right), monkeypatch) == 1
    wrong = [with_id(dump_lines({"answers": {"L": 7}}), f"s-{n}", place) for n in range(1000)]
    # in some chunks not all have one that is plain
    wrong[100] = dump_lines({"answers": {"L": 7}})
    wrong[200] = with_id(wrong[100], "ü", "first")
    content = dump_lines(DEFAULTS) + b"".join(wrong)
    assert count_marked(content, monkeypatch) == 1
    assert mark(content) == mark_one_by_one(content)


READ = [
    (RIGHT | {"id": "a"}, "a"),
    ({"id": "a"} | RIGHT, "a"),
    ({"feedback": "hint", "id": "a"} | RIGHT, "a"),
    (b'{"\\u0069d": "a", "answers": {"L": 1.5279}}', "a"),
    (b'{"i\\u0064": "a", "answers": {"L": 1.5279}}', "a"),
    ({"id": "", "answers": {"L": 1.5279}}, ""),
    (b'{"id": "' + b"x" * 70_000 + b'", "answers": {"L": 1.5279}}', "x" * 70_000),
]


@pytest.mark.parametrize(("line", "text"), READ)
def test_an_id_comes_back_beside_the_index(line: object, text: str) -> None:
    # the same line twice: from the second on, its reply is kept
    lines, _ = read_lines(mark(dump_lines(DEFAULTS, line, line, RIGHT)))
    assert [list(each) for each in lines] == [["index", "id", "grade"]] * 2 + [["index", "grade"]]
    assert [each.get("id") for each in lines] == [text, text, None]
    assert lines[0]["grade"]["verdict"] == "correct"


WRONG = [
    ({"id": "a", "answers": {"Q": 1}, "wieghts": 1}, "a", 422),
    ({"answers": {}, "wieghts": 1, "id": "a"}, "a", 422),
    ({"answers": {}, "id": "a", "wieghts": 1}, "a", 422),
    ({"id": "a", "exercise": {"kind": "softmax_forward", "seed": -1}}, "a", 422),
    (b'{"id": "a", "answers": }', "a", 400),
    (b'{"answers": {}, "id": "a" "feedback": "hint"}', None, 400),
    (b'{"id": "a", "id": "b", "answers": {}}', None, 400),
    (b'{"id": "a", "\\u0069d": "b", "answers": {}}', None, 400),
    ({"id": 7, "answers": {}}, None, 422),
    ({"id": None, "answers": {}}, None, 422),
    ({"id": ["a"], "answers": {}}, None, 422),
    (b'{"id": "\\ud800", "answers": {}}', None, 400),
    (b"7", None, 422),
]


@pytest.mark.parametrize(("line", "text", "status"), WRONG)
def test_a_problem_has_the_id_of_its_line_if_it_can_be_read(line: object, text: str | None, status: int) -> None:
    [reply], _ = read_lines(mark(dump_lines(DEFAULTS, line)))
    assert list(reply) == (["index", "problem"] if text is None else ["index", "id", "problem"])
    assert (reply.get("id"), reply["problem"]["status"]) == (text, status)


@pytest.mark.parametrize("value", [7, None, True, ["a"], {"a": 1}])
def test_an_id_that_is_no_text_is_the_problem_of_its_line(value: object) -> None:
    lines, summary = read_lines(mark(dump_lines(DEFAULTS, {"id": value} | RIGHT, RIGHT)))
    assert [error["pointer"] for error in lines[0]["problem"]["errors"]] == ["/id"]
    assert summary["verdicts"] == {"correct": 1}


def test_what_is_wrong_with_a_line_is_located_in_it_as_it_was_sent() -> None:
    line = b'{"id": "a long one", "answers": }'
    [reply], _ = read_lines(mark(dump_lines(DEFAULTS, line)))
    assert f"at column {line.index(b'}') + 1}" in reply["problem"]["detail"]


def test_a_line_is_too_long_with_its_id_whatever_was_marked_before() -> None:
    line, defaults = dump_lines({"answers": {"L": 7}}), dump_lines(DEFAULTS)
    named = with_id(line, "x" * len(defaults), "first")
    content = defaults + line + named + with_id(line, "x", "first")
    for longest, status in ((len(named) - 2, 413), (len(named) - 1, 200)):
        lines, _ = read_lines(mark(content, longest=longest))
        assert [each["problem"]["status"] if "problem" in each else 200 for each in lines] == [200, status, 200]
        assert ["id" in each for each in lines] == [False, status == 200, True]


@pytest.mark.anyio
async def test_neither_defaults_nor_a_single_submission_have_an_id(client: httpx.AsyncClient) -> None:
    content = dump_lines({"defaults": DEFAULTS["defaults"] | {"id": "a"}}, RIGHT)
    reply = await client.post("/v1/grades/bulk", content=content, headers=HEADERS)
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/defaults/id"]
    reply = await client.post("/v1/grades", json=DEFAULTS["defaults"] | RIGHT | {"id": "a"})
    assert [error["pointer"] for error in reply.json()["errors"]] == ["/id"]


@pytest.mark.parametrize("first", [DEFAULTS, {"id": "a", **DEFAULTS["defaults"], **RIGHT}])
def test_a_byte_order_mark_before_the_first_line_is_skipped(first: Json) -> None:
    plain = dump_lines(first, {"id": "b"} | DEFAULTS["defaults"] | RIGHT)
    for marked in (b"\xef\xbb\xbf" + plain, b"\xef\xbb\xbf\n \n" + plain):
        assert mark(marked) == mark(plain)
    assert read_lines(mark(plain))[1]["problems"] == 0
