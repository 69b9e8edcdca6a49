"""Exercise tokens: what they open, what they do not, and that nobody can change one."""

import hashlib
import string
import time
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from itsdangerous import URLSafeSerializer
from pydantic import SecretStr

from app.access.admission import Access
from app.access.keys import make_key
from app.access.tokens import SALT, Grant, Tokens
from app.errors import BodyError
from app.settings import Settings
from app.wire.tensors import TENSORS_TYPE
from core.exercises import KINDS, LATEST_VERSION
from core.grading import LEVELS
from tests.support.keyed import EXERCISE, client_of, keyed_app, mint, without_id
from tests.support.server import run_server
from tests.support.tensor_client import to_tensors

pytestmark = pytest.mark.anyio

APP = keyed_app()
SECRET, OLDER = "s" * 32, "o" * 32
TOKENS = Tokens((SECRET,), 3600)
GRANT = Grant(kind="softmax_forward", seed=7, version=LATEST_VERSION, feedback="hint", expires=int(time.time()) + 3600)
ANSWERS = {"dL_db": [0.1, 0.2, -0.3]}


async def grade(token: str, *scopes: str, **changes: Any) -> httpx.Response:
    async with client_of(APP, *scopes) as client:
        return await client.post("/v1/grades", json={"token": token, "answers": ANSWERS} | changes)


def test_a_token_opens_to_what_it_was_minted_for() -> None:
    assert TOKENS.open(TOKENS.mint(GRANT)) == GRANT
    for kind in KINDS:
        for level in LEVELS:
            grant = Grant(kind=kind, seed=2**31 - 1, version=1, feedback=level, expires=2**40)
            assert TOKENS.open(TOKENS.mint(grant)) == grant


def assert_is_refused(token: str) -> None:
    with pytest.raises(BodyError) as caught:
        TOKENS.open(token)
    assert caught.value.status == 401, token


# the two alphabets of base64, what its decoders skip, other signs, and letters that only look like these
SIGNS = string.printable + "\x00\xe9\u0131\uff21"


def test_every_change_of_a_single_character_is_refused() -> None:
    token = TOKENS.mint(GRANT)
    for place, sign in enumerate(token):
        assert_is_refused(token[:place] + token[place + 1 :])
        for other in SIGNS:
            assert_is_refused(token[:place] + other + token[place:])
            if other != sign:
                assert_is_refused(token[:place] + other + token[place + 1 :])
    for other in SIGNS:
        assert_is_refused(token + other)


@pytest.mark.parametrize("token", ["", ".", "a.b", "." + "A" * 64, "A" * 600 + "." + "A" * 64, "A" * 100_000, "\ud800"])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert_is_refused(token)


FIELDS: list[object] = ["softmax_forward", 7, 1, "hint", 2**40]


@pytest.mark.parametrize(
    "signed",
    [
        ["x", *FIELDS],
        FIELDS[:4],
        [1, *FIELDS[1:]],
        [*FIELDS[:3], "everything", 2**40],
        [*FIELDS[:4], "never"],
        {},
        1,
        None,
        "x",
    ],
)
def test_what_is_signed_and_no_grant_is_refused(signed: object) -> None:
    signer = TOKENS._serializer()
    assert TOKENS.open(signer.dumps(FIELDS)).seed == 7
    assert_is_refused(signer.dumps(signed))


def test_what_was_signed_for_another_purpose_is_refused() -> None:
    signing = {"key_derivation": "hmac", "digest_method": hashlib.sha384}
    assert TOKENS.open(URLSafeSerializer(SECRET, salt=SALT, signer_kwargs=signing).dumps(FIELDS)).seed == 7
    assert_is_refused(URLSafeSerializer(SECRET, salt="another", signer_kwargs=signing).dumps(FIELDS))


def test_secrets_are_changed_by_adding_one_at_the_end() -> None:
    old, both, new = (Tokens(secrets, 60) for secrets in ((OLDER,), (OLDER, SECRET), (SECRET,)))
    assert both.open(old.mint(GRANT)) == new.open(both.mint(GRANT)) == GRANT
    with pytest.raises(BodyError):
        new.open(old.mint(GRANT))


def test_secrets_stand_in_a_setting_apart_by_spaces_or_commas() -> None:
    for text in (f"{OLDER} {SECRET}", f"{OLDER},{SECRET}\n", f"\n{OLDER}\n{SECRET}"):
        access = Access(Settings.model_construct(token_secrets=SecretStr(text)))
        assert access.tokens.secrets == (OLDER, SECRET)


def test_without_a_secret_each_service_has_one_of_its_own() -> None:
    one, other = (Access(Settings.model_construct()).tokens for _ in range(2))
    with pytest.raises(BodyError):
        other.open(one.mint(GRANT))


async def test_a_token_ends() -> None:
    past = Grant(kind="softmax_forward", seed=7, version=LATEST_VERSION, feedback="hint", expires=int(time.time()))
    assert_is_refused(TOKENS.mint(past))
    token = await mint(APP, expires_in=1)
    assert (await grade(token)).status_code == 200
    await anyio.sleep(2.1)
    ended, missing = await grade(token), await grade("")
    assert without_id(ended) == without_id(missing)
    assert ended.status_code == 401


async def test_an_author_mints_a_token_that_says_what_it_stands_for() -> None:
    body = {"seed": 3, "feedback": "location", "expires_in": 3600}
    async with client_of(APP, "author") as client:
        reply = (await client.post("/v1/exercises/softmax_forward/tokens", json=body)).json()
        stated = (
            await client.post("/v1/exercises/softmax_forward/tokens", json=body | {"version": LATEST_VERSION})
        ).json()
    assert set(reply) == {"token", "kind", "version", "feedback", "expires_at"}
    assert (reply["kind"], reply["version"], reply["feedback"]) == ("softmax_forward", LATEST_VERSION, "location")
    assert stated["version"] == LATEST_VERSION
    left = datetime.fromisoformat(reply["expires_at"]) - datetime.now(UTC)
    assert 3590 < left.total_seconds() <= 3601


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"seed": -1}, "/seed"),
        ({"seed": "7"}, "/seed"),
        ({"version": LATEST_VERSION + 1}, "/version"),
        ({"version": LATEST_VERSION - 1}, "/version"),
        ({"feedback": "everything"}, "/feedback"),
        ({"expires_in": 0}, "/expires_in"),
        ({"expires_in": 61}, "/expires_in"),
        ({"expires_in": 1.5}, "/expires_in"),
        ({"further": 1}, "/further"),
    ],
)
async def test_a_token_for_nothing_is_not_minted(changes: dict[str, object], pointer: str) -> None:
    app = keyed_app(max_token_seconds=60)
    body = {"seed": 7, "feedback": "hint", "expires_in": 60}
    async with client_of(app, "author") as client:
        assert (await client.post("/v1/exercises/softmax_forward/tokens", json=body)).status_code == 200
        reply = await client.post("/v1/exercises/softmax_forward/tokens", json=body | changes)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert error["pointer"] == pointer
    if changes == {"expires_in": 61}:
        assert "needed 1 to 60" in error["message"]


async def test_a_token_for_no_such_kind_is_not_minted() -> None:
    body = {"seed": 7, "feedback": "hint", "expires_in": 60}
    async with client_of(APP, "author") as client:
        reply = await client.post("/v1/exercises/nothing/tokens", json=body)
    assert reply.status_code == 422
    [error] = reply.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/kind", "unknown_name")


async def test_the_holder_reads_the_exercise_without_a_key() -> None:
    token = await mint(APP)
    path = f"/v1/exercises/{EXERCISE['kind']}"
    async with client_of(APP) as client, client_of(APP, "grade") as grader:
        held, drawn = await client.get(path, params={"token": token}), await grader.get(path, params={"seed": 7})
        assert held.status_code == 200
        assert held.json() == drawn.json()
        assert (await client.get(path, params={"seed": 7})).status_code == 401
        assert (await client.get(path, params=[("token", token), ("seed", "7")])).status_code == 422
        assert (await client.get(path, params=[("token", token), ("version", "1")])).status_code == 422
        for other in (client, grader):
            assert (await other.get("/v1/exercises/softmax_forward", params={"token": token})).status_code == 403
            assert (await other.get(path, params={"token": token[:-1] + "~"})).status_code == 401


async def test_the_holder_has_the_exercise_marked_as_by_reference() -> None:
    token = await mint(APP, feedback="location")
    for level in ("verdict", "hint", "diagnosis", "location"):
        held = await grade(token, feedback=level)
        async with client_of(APP, "grade") as grader:
            body = {"exercise": EXERCISE, "answers": ANSWERS, "feedback": level}
            assert held.content == (await grader.post("/v1/grades", json=body)).content


async def test_a_token_works_in_the_binary_form_too() -> None:
    token = await mint(APP)
    headers = {"Content-Type": TENSORS_TYPE}
    async with client_of(APP) as client:
        content = to_tensors({"token": token, "answers": ANSWERS})
        assert (await client.post("/v1/grades", content=content, headers=headers)).status_code == 200
        for broken in (to_tensors({"token": "x", "answers": ANSWERS}), content[:20], b"", b"\xff" * 8):
            assert (await client.post("/v1/grades", content=broken, headers=headers)).status_code == 401


@pytest.mark.parametrize("granted", LEVELS)
@pytest.mark.parametrize("scopes", [(), ("grade",), ("grade", "author")])
async def test_a_token_caps_the_level_but_for_authors(granted: str, scopes: tuple[str, ...]) -> None:
    token = await mint(APP, feedback=granted)
    for level in LEVELS:
        is_above = LEVELS.index(level) > LEVELS.index(granted)
        reply = await grade(token, *scopes, feedback=level)
        assert reply.status_code == (403 if is_above and "author" not in scopes else 200)
    default = min("diagnosis", granted, key=LEVELS.index)
    assert (await grade(token, *scopes)).content == (await grade(token, *scopes, feedback=default)).content


@pytest.mark.parametrize("changes", [{"policy": {}}, {"tolerance": {"decimals": 6}}, {"feedback": "full"}])
async def test_the_holder_may_do_nothing_else(changes: dict[str, object]) -> None:
    token = await mint(APP)
    refused = await grade(token, **changes)
    assert without_id(refused) == without_id(await grade(token, feedback="diagnosis"))
    assert refused.status_code == 403


async def test_what_is_wrong_with_a_holders_request_is_told_and_to_others_nothing() -> None:
    token = await mint(APP)
    wrong: list[dict[str, Any]] = [{"answers": 1}, {"further": 1}, {"exercise": EXERCISE}, {"asks": ["L"]}]
    for changes in wrong:
        reply = await grade(token, **changes)
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/" + next(iter(changes)))
    said = [await grade("x", **changes) for changes in wrong]
    async with client_of(APP) as client:
        headers = {"Content-Type": "application/json"}
        bodies = (
            b"",
            b"{",
            b"[]",
            b'{"token": 1}',
            b'{"token": null}',
            b"\xff",
            b"[" * 10_000,
            b'{"answers": {}}',
        )
        said += [await client.post("/v1/grades", content=content, headers=headers) for content in bodies]
        said.append(await client.post("/v1/grades", content=b"{}", headers={"Content-Type": "text/plain"}))
        said.append(await client.post("/v1/grades", json={}, headers={"Accept": "text/html"}))
    assert all(without_id(reply) == without_id(said[0]) for reply in said)
    assert said[0].status_code == 401


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_without_a_key_has_a_limit_of_its_own(chunked: bool) -> None:
    token = await mint(APP)
    app = keyed_app(max_keyless_bytes=1000)
    app.state.access = APP.state.access
    body = f'{{"token":"{token}","answers":{{}}}}'.encode()

    async def pieces(content: bytes) -> Any:
        for start in range(0, len(content), 100):
            yield content[start : start + 100]

    async with client_of(app) as client, client_of(app, "grade") as grader:
        for sender, size, status in ((client, 1000, 200), (client, 1001, 413), (grader, 1001, 200)):
            content = body.ljust(size)
            headers = {"Content-Type": "application/json"}
            given = pieces(content) if chunked else content
            reply = await sender.post("/v1/grades", content=given, headers=headers)
            assert reply.status_code == status, reply.text
            assert status == 200 or "more than 1000 bytes" in reply.json()["detail"]


def test_a_token_opens_in_the_process_that_marks_large_bodies() -> None:
    text, key = make_key("ada", ["author"])
    with run_server(keys=key.write(), max_keyless_bytes=2**20) as server:
        body = {"seed": 7, "feedback": "hint", "expires_in": 60}
        headers = {"Authorization": f"Bearer {text}"}
        minted = server.client.post("/v1/exercises/weight_gradients/tokens", json=body, headers=headers).json()
        held = {"token": minted["token"], "answers": ANSWERS}
        assert server.client.post("/v1/grades", json=held).status_code == 200
        assert server.client.post("/v1/grades", json=held | {"feedback": "full"}).status_code == 403
        refused = server.client.post("/v1/grades", json=held | {"token": "x"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
