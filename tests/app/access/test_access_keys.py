"""Keys in a setting or a file, how they are made, and what the service does not start with."""

import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.access.admission import Access
from app.access.keys import find_key, make_key, read_keys
from app.access.refusals import SCOPES
from app.command_line import main
from app.settings import GROUPS, REMOVED, SettingError, Settings, require_known
from tests.support.server import ROOT, command, environment, find_free_port, run_server

HASH = "sha256:" + "0a" * 32
OTHER = "sha256:" + "0b" * 32


def test_a_key_is_found_among_several_by_its_hash_alone() -> None:
    made = [make_key(f"key{number}", ["grade"]) for number in range(3)]
    keys = read_keys("\n".join(key.write() for _, key in made))
    for text, key in made:
        assert text not in key.write()
        assert find_key(keys, text) == key
        assert find_key(keys, text[:-1]) is None
        assert find_key(keys, key.digest.hex()) is None
    assert find_key(keys, "") is None


def test_lines_may_be_blank_or_hold_comments() -> None:
    [key] = read_keys(f"# keys of the course\n\n  ada\tcompute,grade   {HASH}  # until May\n")
    assert key.name == "ada"
    assert key.scopes == {"compute", "grade"}
    assert key.write() == f"ada compute,grade {HASH}"


REFUSED = {
    "nothing": ("", "at least one"),
    "only comments": ("# none\n", "at least one"),
    "two words": (f"ada {HASH}", "line 1: found 2 words"),
    "four words": (f"ada grade {HASH} canary", "line 1: found 4 words"),
    "an unknown scope": (f"ada grade,canary {HASH}", "line 1: found a scope that is unknown"),
    "the token's word": (f"ada token {HASH}", "line 1: found a scope that is unknown"),
    "a scope twice": (f"ada grade,grade {HASH}", "line 1: found a scope that is unknown or stands twice"),
    "an empty scope": (f"ada grade, {HASH}", "line 1: found a scope"),
    "a key in place of its hash": ("ada grade gradmark_canary", "line 1: the third word is no hash"),
    "a hash in capitals": (f"ada grade {HASH.upper()}", "line 1: the third word is no hash"),
    "another hash": ("ada grade md5:canary", "line 1: the third word is no hash"),
    "a name that is none": (f"canary! grade {HASH}", "line 1: this is no name; needed 1 to 64"),
    "a name twice": (f"ada grade {HASH}\nada compute {OTHER}", "line 2: its name or its hash"),
    "a hash twice": (f"ada grade {HASH}\n\nbob grade {HASH}", "line 3: its name or its hash"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_lines_of_another_form_are_refused_by_number_and_nothing_of_them_is_repeated(text: str, reason: str) -> None:
    with pytest.raises(SettingError, match=re.escape(reason)) as caught:
        read_keys(text)
    assert "canary" not in str(caught.value)
    assert "0a0a" not in str(caught.value)


def test_keys_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"ada grade {HASH}\n")
    assert not Access(Settings.model_construct(keys_file=file)).is_open
    assert Access(Settings.model_construct()).is_open


SETTINGS: dict[str, tuple[dict[str, object], str]] = {
    "both": ({"keys": f"ada grade {HASH}", "keys_file": "empty"}, "GRADMARK_KEYS and GRADMARK_KEYS_FILE are both set"),
    "an empty file": ({"keys_file": "empty"}, "GRADMARK_KEYS_FILE: found no key"),
    "no such file": ({"keys_file": "nowhere"}, "GRADMARK_KEYS_FILE: {folder}/nowhere: No such file or directory"),
    "a file that is no text": ({"keys_file": "binary"}, "GRADMARK_KEYS_FILE: the file is not UTF-8"),
    "a wrong line": ({"keys": f"ada canary {HASH}"}, "GRADMARK_KEYS: line 1: found a scope"),
    "a short secret": (
        {"token_secrets": "x" * 32 + " canary"},
        "GRADMARK_TOKEN_SECRETS: secret 2 has 6 characters; needed 32 or more",
    ),
    "blank secrets": ({"token_secrets": " ,\n"}, "GRADMARK_TOKEN_SECRETS: found no secret"),
}


def put_in_place(settings: dict[str, object], folder: Path) -> dict[str, Any]:
    (folder / "empty").write_text("# none\n")
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    return {name: folder / str(value) if name == "keys_file" else value for name, value in settings.items()}


@pytest.mark.parametrize(("settings", "reason"), SETTINGS.values(), ids=SETTINGS)
def test_the_service_does_not_start_with_keys_or_secrets_that_are_none(
    settings: dict[str, object],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in put_in_place(settings, tmp_path).items():
        monkeypatch.setenv(f"GRADMARK_{name.upper()}", str(value))
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(reason.format(folder=tmp_path))
    assert "canary" not in said


def test_the_command_that_marks_files_refuses_such_settings_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_text("")
    monkeypatch.setenv("GRADMARK_TOKEN_SECRETS", "short")
    assert main(["grade", str(tmp_path / "in"), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("GRADMARK_TOKEN_SECRETS")


def test_settings_do_not_show_keys_and_secrets() -> None:
    settings = Settings.model_construct(keys=SecretStr("canary"), token_secrets=SecretStr("canary"))
    access = Access(Settings.model_construct(token_secrets=SecretStr("canary" * 6)))
    assert "canary" not in repr(settings) + repr(access.everybody) + repr(access.tokens)


def test_a_new_key_is_printed_once_with_the_line_to_keep(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "course", "--scopes", "author,grade"]) == 0
    _, text, _, line = capfd.readouterr().out.splitlines()
    [key] = read_keys(line)
    assert key.name == "course"
    assert key.scopes == {"author", "grade"}
    assert find_key([key], text) == key
    assert len(text) > 40


@pytest.mark.parametrize("output", [">&-", ">/dev/full"])
def test_a_key_that_nobody_can_see_is_an_error_of_one_line(output: str) -> None:
    line = f"exec {shlex.join([*command('key'), 'course', '--scopes', 'grade'])} {output}"
    ended = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "standard output" in ended.stderr


@pytest.mark.parametrize("arguments", [["course", "--scopes", "grade,all"], ["the course", "--scopes", "grade"]])
def test_a_key_of_no_such_scope_or_name_is_not_made(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", *arguments]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "needed" in err or all(scope in err for scope in SCOPES)


def test_the_real_server_starts_with_keys_and_exits_with_2_where_they_are_wrong() -> None:
    text, key = make_key("ada", ["compute"])
    with run_server(keys=key.write()) as server:
        body = {"weights": [[1.0, 2.0]], "inputs": [1.0], "target": 0}
        assert server.client.post("/v1/softmax-layer", json=body).status_code == 401
        headers = {"Authorization": f"Bearer {text}"}
        assert server.client.post("/v1/softmax-layer", json=body, headers=headers).status_code == 200
    wrong = environment(port=find_free_port(), keys="canary")
    ended = subprocess.run(
        command("serve"), cwd=ROOT, env=wrong, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, "canary" in ended.stderr) == (2, False)
    assert ended.stderr.startswith("GRADMARK_KEYS: line 1: found 1 word; needed three")


@pytest.mark.parametrize(
    "origins",
    ["localhost", "http://a.b/", "http://a.b/path", "http://a,", "http://a, http://b", "http://A", "ftp://a", "* "],
)
def test_origins_that_are_none_are_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match=r"cors_origins\n  needed origins like https://course.example"):
        Settings(cors_origins=origins)


def refusal_of(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # every command refuses them, and this one ends by itself
    assert main(["health"]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["KEYS", "KEYS_FILE", "TOKEN_SECRETS"])
def test_a_variable_for_keys_or_secrets_that_is_empty_is_not_taken_for_none(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of({f"GRADMARK_{name}": ""}, monkeypatch, capsys)
    assert said.startswith(f"GRADMARK_{name} is empty; needed")


@pytest.mark.parametrize(
    ("name", "near"), [("KEY", "KEYS"), ("TOKEN_SECRET", "TOKEN_SECRETS"), ("LOGLEVEL", "LOG_LEVEL"), ("NOTHING", "")]
)
def test_a_variable_that_is_no_setting_stops_the_start_and_is_told_the_nearest(
    name: str, near: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of({f"GRADMARK_{name}": "canary"}, monkeypatch, capsys)
    assert said == f"GRADMARK_{name} is no setting" + (f"; did you mean GRADMARK_{near}?" if near else "") + "\n"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_in_another_case_stops_the_start_and_is_told_the_right_one(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in (f"gradmark_{name}", f"GRADMARK_{name}", f"Gradmark_{name.upper()}"):
        said = refusal_of({variable: ""}, monkeypatch, capsys)
        assert said == f"{variable} is no setting; did you mean GRADMARK_{name.upper()}?\n"
        monkeypatch.delenv(variable)


@pytest.mark.parametrize("name", REMOVED)
def test_a_setting_that_was_removed_stops_the_start_and_is_told_what_to_do_instead(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of({f"GRADMARK_{name.upper()}": "canary"}, monkeypatch, capsys)
    assert said == f"GRADMARK_{name.upper()} is no setting any more: {REMOVED[name]}\n"
    successors = {variable.removeprefix("GRADMARK_").lower() for variable in re.findall(r"GRADMARK_\w+", REMOVED[name])}
    assert successors <= Settings.model_fields.keys()


def test_there_are_few_settings_and_each_stands_in_one_group() -> None:
    assert len(Settings.model_fields) <= 30
    assert Counter(name for group in GROUPS for name in group.model_fields) == Counter(Settings.model_fields.keys())


def test_every_variable_that_is_no_setting_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal_of({"GRADMARK_NOTHING": "1", "GRADMARK_KEY": "canary"}, monkeypatch, capsys)
    assert [line.split()[0] for line in said.splitlines()] == ["GRADMARK_KEY", "GRADMARK_NOTHING"]


LINKS = {
    "SERVICE_HOST": "10.0.0.11",
    "SERVICE_PORT": "80",
    "SERVICE_PORT_HTTP": "80",
    "PORT": "tcp://10.0.0.11:80",
    "PORT_80_TCP": "tcp://10.0.0.11:80",
    "PORT_80_TCP_PROTO": "tcp",
    "PORT_80_TCP_PORT": "80",
    "PORT_80_TCP_ADDR": "10.0.0.11",
}
"""What Kubernetes sets for a Service named gradmark where a pod does not ask to be spared."""


@pytest.mark.parametrize("prefix", ["GRADMARK_", "GRADMARK_WEB_"])
def test_what_kubernetes_tells_of_its_services_is_passed_over(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    links = {prefix + name: value for name, value in LINKS.items()}
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    require_known(links)
    assert Settings().port == 8000
