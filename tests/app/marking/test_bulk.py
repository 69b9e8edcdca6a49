"""Marking in bulk, in process: every line is answered in order, whatever stands in the others."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.errors import MEDIA_TYPE
from app.examples import ARTICLE_PROBLEM
from app.main import create_app
from app.marking.chunks import Terms, find_refusal, mark_chunk
from app.record import MOST_COUNTED, OTHERS, Summary
from app.settings import Settings
from core.budget import Budget
from core.conventions import Conventions
from core.grade_requests import Grader, GradeRequest
from core.grading import Grade, Part
from tests.support.bulk_lines import (
    ANSWERS,
    DEFAULTS,
    HEADERS,
    OWN_EXERCISE,
    OWN_PROBLEM,
    count_lines,
    dump_lines,
    read_lines,
    submissions,
)
from tests.support.dispatching import EVERYBODY

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
RIGHT = {"answers": {"L": 1.5279}}


async def send(client: httpx.AsyncClient, content: bytes) -> tuple[list[Json], Json]:
    reply = await client.post("/v1/grades/bulk", content=content, headers=HEADERS)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/jsonl")
    return read_lines(reply.content)


async def refuse(client: httpx.AsyncClient, content: bytes | AsyncIterator[bytes], status: int) -> Json:
    """Send what has to be refused as a whole; return its first error."""
    reply = await client.post("/v1/grades/bulk", content=content, headers=HEADERS)
    assert (reply.status_code, reply.headers["content-type"]) == (status, MEDIA_TYPE), reply.text
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    error: Json = reply.json()["errors"][0]
    return error


def small_client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings.model_construct(**settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_each_line_is_marked_as_a_request_of_its_own_would_be(client: httpx.AsyncClient) -> None:
    for level in ("verdict", "diagnosis", "full"):
        defaults = {"problem": ARTICLE_PROBLEM, "feedback": level}
        lines, summary = await send(client, dump_lines({"defaults": defaults}, *({"answers": a} for a in ANSWERS)))
        for line, answers in zip(lines, ANSWERS, strict=True):
            body = json.dumps(defaults | {"answers": answers}).encode()
            reply = await client.post("/v1/grades", content=body, headers={"Content-Type": "application/json"})
            document = reply.json()
            document.pop("request_id", None)
            assert line["grade" if reply.status_code == 200 else "problem"] == document
        assert summary == count_lines(lines)


async def test_a_line_overrides_the_defaults(client: httpx.AsyncClient) -> None:
    lines, _ = await send(
        client,
        dump_lines(
            {"defaults": DEFAULTS["defaults"] | {"feedback": "verdict", "tolerance": {"decimals": 3}, "asks": ["L"]}},
            RIGHT,
            RIGHT | {"feedback": "full", "tolerance": {"relative": 0.1}},
            RIGHT | {"asks": ["S", "L"]},
            OWN_PROBLEM,
            OWN_EXERCISE,
        ),
    )
    parts = [line["grade"]["parts"] for line in lines]
    assert [part[0]["tolerance"] for part in parts[:1]] == [{"decimals": 3}]
    assert parts[1][0]["tolerance"].items() >= {"relative": 0.1}.items()
    assert "expected" in parts[1][0]
    assert "expected" not in parts[0][0]
    assert [part["verdict"] for part in parts[2]] == ["missing", "correct"]
    # a problem of its own comes with asks of its own
    assert [part["verdict"] for part in parts[3]] == ["correct"]
    assert [part["quantity"] for part in parts[4]] == ["Z", "S"]


async def test_defaults_may_be_an_exercise_or_leave_the_problem_to_the_lines(client: httpx.AsyncClient) -> None:
    lines, _ = await send(client, dump_lines({"defaults": {"exercise": OWN_EXERCISE["exercise"]}}, RIGHT, OWN_PROBLEM))
    assert [len(line["grade"]["parts"]) for line in lines] == [3, 1]
    lines, _ = await send(client, dump_lines({"defaults": {"feedback": "verdict"}}, OWN_PROBLEM, RIGHT))
    assert "diagnoses" not in lines[0]["grade"]["parts"][0]
    assert "neither problem nor exercise" in lines[1]["problem"]["detail"]


async def test_without_defaults_the_first_line_is_a_submission(client: httpx.AsyncClient) -> None:
    lines, summary = await send(client, dump_lines(OWN_PROBLEM, OWN_EXERCISE))
    assert [line["grade"]["verdict"] for line in lines] == ["correct", "incorrect"]
    assert summary["lines"] == 2


BAD_LINES = [
    (b"{", 400, "", "this line is not JSON: Expecting property name enclosed in double quotes at column 2"),
    (b'{"answers": {"L": 1}} {"answers": {"L": 1}}', 400, "", "Extra data at column 23; each line ends with a newline"),
    (b"not json", 400, "", "not JSON"),
    (b"[]", 422, "", "found an array, needed an object"),
    (b"null", 422, "", "found null"),
    (b"{}", 422, "/answers", "no answers"),
    (b'{"answers": {"L": 1}, "L": 1}', 422, "/L", "not known"),
    (b'{"answers": {"L": 1, "L": 2}}', 400, "", "twice"),
    (b'{"answers": {"Z9": 1}}', 422, "/answers/Z9", "layer 9"),
    (b'{"answers": {"L": 1}, "tolerance": {"relative": NaN}}', 400, "/tolerance/relative", "NaN"),
    (b'{"answers": {"L": 1}, "exercise": {"kind": "softmax_forward", "seed": -1}}', 422, "/exercise/seed", "seed"),
    (b'{"answers": {"L": 1}, "policy": {"mistakes": {"x": 1}}}', 422, "/policy/mistakes/x", "not known"),
    (b'{"defaults": {}}', 422, "/defaults", "not known"),
    (b'{"answers": {"L": "\xff"}}', 400, "", "UTF-8"),
    (json.dumps(RIGHT).encode("utf-16-le"), 400, "", "JSON"),
]


@pytest.mark.parametrize(("bad", "status", "pointer", "message"), BAD_LINES)
async def test_a_bad_line_has_a_problem_of_its_own_and_stops_nothing(
    client: httpx.AsyncClient, bad: bytes, status: int, pointer: str, message: str
) -> None:
    lines, summary = await send(client, dump_lines(DEFAULTS, RIGHT, bad, RIGHT))
    assert [line.get("grade", {}).get("verdict") for line in lines] == ["correct", None, "correct"]
    problem = lines[1]["problem"]
    assert list(problem) == ["type", "title", "status", "detail", "errors"]
    assert problem["status"] == status
    assert problem["errors"][0]["pointer"] == pointer
    assert message in problem["errors"][0]["message"]
    assert summary == count_lines(lines)


@pytest.mark.parametrize(
    "content",
    [
        dump_lines(DEFAULTS, RIGHT, RIGHT),
        dump_lines(DEFAULTS, RIGHT, RIGHT).removesuffix(b"\n"),
        dump_lines(DEFAULTS, RIGHT, RIGHT).replace(b"\n", b"\r\n"),
        dump_lines(b"", b" \t", DEFAULTS, b"\r", RIGHT, b"", b"", RIGHT, b"", b"  "),
        dump_lines(b"  " + json.dumps(DEFAULTS).encode() + b"  ", RIGHT, RIGHT),
    ],
    ids=["plain", "no newline at the end", "CRLF", "blank lines", "spaces"],
)
async def test_line_ends_and_blank_lines_make_no_difference(client: httpx.AsyncClient, content: bytes) -> None:
    lines, _ = await send(client, content)
    assert [line["grade"]["verdict"] for line in lines] == ["correct", "correct"]


@pytest.mark.parametrize("content", [b"", b"\n \r\n\n", dump_lines(DEFAULTS), dump_lines({"defaults": {}})])
async def test_nothing_to_mark_is_a_summary_alone(client: httpx.AsyncClient, content: bytes) -> None:
    assert await send(client, content) == ([], {"lines": 0, "problems": 0, "verdicts": {}, "quantities": {}})


@pytest.mark.parametrize("first", [True, False])
async def test_a_line_that_is_too_long_is_413_of_that_line(*, first: bool) -> None:
    longest = len(dump_lines(DEFAULTS)) - 1
    before = [] if first else [DEFAULTS]
    fitting, too_long = (json.dumps(RIGHT).encode().ljust(size) for size in (longest, longest + 1))
    huge = fitting.ljust(600_000)
    async with small_client(max_body_bytes=longest) as client:
        lines, _ = await send(client, dump_lines(*before, too_long, fitting, huge, RIGHT))
        _, last = await send(client, dump_lines(*before, too_long).removesuffix(b"\n"))
    assert (
        [line.get("problem", {}).get("status") for line in lines] == [413, 422, 413, 422] if first else [413, None] * 2
    )
    assert f"more than {longest} bytes" in lines[0]["problem"]["detail"]
    assert last["problems"] == 1


BAD_DEFAULTS = [
    (b'{"defaults": {"feedback": "all"}}', 422, "/defaults/feedback"),
    (b'{"defaults": null}', 422, "/defaults"),
    (b'{"defaults": [], "x": 1}', 422, "/defaults"),
    (b'{"defaults": {}, "x": 1}', 422, "/x"),
    (b'{"x": 1, "defaults": {}}', 422, "/x"),
    (b'{"defaults": {"x": 1}}', 422, "/defaults/x"),
    (b'{"defaults": {"tolerance": {"absolute": 0}}}', 422, "/defaults/tolerance"),
    (b'{"defaults": {"policy": {"weights": {"L": -1}}}}', 422, "/defaults/policy/weights/L"),
    (b'{"defaults": {"exercise": {"kind": "none", "seed": 1}}}', 422, "/defaults/exercise/kind"),
    (b'{"defaults": {"tolerance": {"absolute": NaN}}}', 400, "/defaults/tolerance/absolute"),
    (b'{"defaults": {}, "defaults": {}}', 400, ""),
    (b'{ "defaults": {"feedback": "full",}}', 400, ""),
    (b'{"defaults"', 400, ""),
]


async def test_lines_sent_without_their_newlines_are_told_so(client: httpx.AsyncClient) -> None:
    error = await refuse(client, dump_lines(DEFAULTS, RIGHT).replace(b"\n", b""), 400)
    assert "the line of defaults is not JSON: Extra data at column" in error["message"]
    assert "--data-binary" in error["message"]


@pytest.mark.parametrize(("defaults", "status", "pointer"), BAD_DEFAULTS)
async def test_wrong_defaults_are_a_problem_of_the_whole(
    client: httpx.AsyncClient, defaults: bytes, status: int, pointer: str
) -> None:
    assert (await refuse(client, dump_lines(defaults, RIGHT), status))["pointer"] == pointer


@pytest.mark.parametrize("first", [b'["defaults"]', b'{"answers": "defaults",}', b'{"x": {"defaults": 1}}'])
async def test_a_first_line_in_which_defaults_stand_elsewhere_is_a_line(
    client: httpx.AsyncClient, first: bytes
) -> None:
    lines, _ = await send(client, dump_lines(first, OWN_PROBLEM))
    assert ["problem" in line for line in lines] == [True, False]


@pytest.mark.parametrize("name", ["jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "ndjson", "x-ndjson", "octet-stream"])
async def test_every_name_of_json_lines_is_taken(client: httpx.AsyncClient, name: str) -> None:
    headers = {"Content-Type": f'application/{name}; profile="https://example.org/p"'}
    reply = await client.post("/v1/grades/bulk", content=dump_lines(DEFAULTS, RIGHT), headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/jsonl")
    assert read_lines(reply.content)[1]["verdicts"] == {"correct": 1}


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/jsonl; charset=latin-1", ""])
async def test_another_media_type_is_a_problem(client: httpx.AsyncClient, media_type: str) -> None:
    reply = await client.post("/v1/grades/bulk", content=dump_lines(RIGHT), headers={"Content-Type": media_type})
    assert reply.status_code == 415
    assert "application/jsonl" in reply.json()["detail"]


async def test_the_bulk_limit_holds_at_its_boundary_by_length_and_by_chunks() -> None:
    body = b"".join(submissions(20))

    async def chunks(content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    # lines have a limit of their own
    async with small_client(max_bulk_bytes=len(body), max_body_bytes=400) as client:
        for fitting in (body, chunks(body)):
            reply = await client.post("/v1/grades/bulk", content=fitting, headers=HEADERS)
            assert read_lines(reply.content)[1]["lines"] == 20
        for content in (body + b"\n", chunks(body + b"\n")):
            error = await refuse(client, content, 413)
            assert f"more than {len(body)} bytes" in error["message"]


async def test_a_line_whose_reply_finds_no_room_in_memory_is_answered_by_503_and_the_others_are_marked() -> None:
    app = create_app(Settings.model_construct(max_memory_bytes=4 * 1024 * 1024, processes=0))
    wide = {"layers": [{"weights": [[0.5] * 400] * 400, "activation": "identity"}]}
    inputs = [[0.1234567 + place / 997 for place in range(400)]]
    problem = {"network": wide, "inputs": inputs, "targets": [[0.0] * 400], "loss": "squared_error"}
    small, large = {"answers": {"L": 1.0}, "feedback": "verdict"}, {"answers": {"dL_dW": [[0]]}, "feedback": "full"}
    content = dump_lines({"defaults": {"problem": problem}}, small, large, small)
    memory = app.state.dispatcher.memory
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        lines, _ = await send(client, content)
        assert ["grade" in line for line in lines] == [True, True, True]
        with memory.open("somebody else") as theirs:
            theirs.grow(3 * 1024 * 1024)
            lines, summary = await send(client, content)
    assert ["grade" in line for line in lines] == [True, False, True]
    assert (lines[1]["problem"]["status"], lines[1]["problem"]["errors"][0]["code"]) == (503, "busy_memory")
    assert summary["problems"] == 1
    assert memory.total == 0


async def test_a_reply_that_is_cut_can_be_told(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/grades/bulk", content=b"".join(submissions(5)), headers=HEADERS)
    lines = reply.content.splitlines(keepends=True)
    for kept in range(len(lines)):
        with pytest.raises((AssertionError, ValueError)):
            read_lines(b"".join(lines[:kept]))


async def test_a_bug_is_a_problem_of_its_line_and_is_logged(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mark = Grader.grade

    def stumble(grader: Grader, request: GradeRequest) -> Grade:
        if request.answers == {"L": 13}:
            raise RuntimeError("secret")
        return mark(grader, request)

    # no request is known that the core fails at
    monkeypatch.setattr(Grader, "grade", stumble)
    lines, summary = await send(client, dump_lines(DEFAULTS, RIGHT, {"answers": {"L": 13}}, RIGHT))
    assert [line.get("problem", {}).get("status") for line in lines] == [None, 500, None]
    assert "secret" not in json.dumps(lines)
    assert "secret" in caplog.text
    assert summary == count_lines(lines)


async def test_a_bug_with_lines_that_are_alike_is_logged_once_for_each(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(grader: Grader, request: GradeRequest) -> None:
        raise RuntimeError("secret")

    for method in ("grade", "find_exact_matcher"):
        monkeypatch.setattr(Grader, method, stumble)
    lines, _ = await send(client, dump_lines(DEFAULTS, *[{"answers": {"L": number}} for number in range(10)]))
    assert [line["problem"]["status"] for line in lines] == [500] * 10
    assert sum("unforeseen" in record.message for record in caplog.records) == 10


def test_a_token_in_defaults_that_ends_on_the_way_is_a_problem_of_each_line() -> None:
    defaults = dump_lines({"defaults": {"token": "ended." + "a" * 64}})
    terms = Terms(caller=EVERYBODY, budget=Budget(), longest=10**7, defaults=defaults)
    refusal = find_refusal(terms)
    assert refusal is not None
    assert refusal.document.status == 401
    marked = mark_chunk(terms, dump_lines(RIGHT, b"", {"id": "b"} | RIGHT), 3)
    lines = [json.loads(line) for line in marked.reply.splitlines()]
    assert [(line["index"], line.get("id"), line["problem"]["status"]) for line in lines] == [
        (3, None, 401),
        (4, "b", 401),
    ]
    assert (marked.summary.lines, marked.summary.problems, marked.rest) == (2, 2, b"")


async def test_the_summary_stays_small_whatever_the_lines_name() -> None:
    summary, chunk = Summary(), Summary()
    parts = tuple(Part(quantity=f"q{n}", verdict="missing", score=0.0) for n in range(MOST_COUNTED + 5))
    chunk.count(Grade(score=0.0, verdict="incorrect", conventions=Conventions(), parts=parts))
    for _ in range(2):
        summary.add(chunk)
    assert len(summary.quantities) == MOST_COUNTED + 1
    assert summary.quantities["q0"]["verdicts"] == {"missing": 2}
    assert summary.quantities[OTHERS]["verdicts"] == {"missing": 10}
