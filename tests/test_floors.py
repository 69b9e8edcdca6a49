"""No locked version is one with a known vulnerability.

Scanners ask a database over the network and say nothing where they cannot reach it. This table is what they knew when
it was last gone through, in November 2026; a new advisory is one line.
"""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.txt", "requirements-dev.txt"]

# the least version without a known vulnerability, the last advisory before it, and what that is about
FLOORS = {
    "anyio": ("4.14.2", "CVE-2026-63374", "a certificate for another spelling of an international host name is taken"),
    "certifi": ("2024.7.4", "CVE-2024-39689", "roots of an authority that is no longer trusted"),
    "click": ("8.3.3", "CVE-2026-7246", "a file name runs as a command in click.edit"),
    "fastapi": ("0.109.1", "CVE-2024-24762", "a content type of forms takes quadratic time to read"),
    "h11": ("0.16.0", "CVE-2025-43859", "lenient ends of chunks let requests be smuggled"),
    "httptools": ("0.5.0", "CVE-2022-32214", "llhttp before 6.0.7 lets requests be smuggled"),
    "httpx": ("0.23.0", "CVE-2021-41945", "what is put into a URL changes where it leads"),
    "idna": ("3.15", "CVE-2026-45409", "a long name takes quadratic time to encode"),
    "markdown-it-py": ("2.2.0", "CVE-2023-26302", "invalid bytes end the command line"),
    "numpy": ("1.22.2", "CVE-2021-41495", "a failed allocation is not noticed while sorting"),
    "orjson": ("3.11.6", "CVE-2025-67221", "deep nesting overflows the stack in dumps"),
    "pydantic": ("2.4.0", "CVE-2024-3772", "an e-mail address takes quadratic time to check"),
    "pydantic-settings": ("2.14.2", "GHSA-4xgf-cpjx-pc3j", "secrets are read through links out of their directory"),
    "pygments": ("2.20.0", "CVE-2026-4539", "a pattern of a lexer backtracks for very long"),
    "pytest": ("9.0.3", "CVE-2025-71176", "the temporary directory has a name that others can foresee"),
    "python-dotenv": ("1.2.2", "CVE-2026-28684", "a link is followed when a file is written anew"),
    "python-json-logger": ("3.3.0", "CVE-2025-27607", "a dependency whose name anybody could have taken"),
    "pyyaml": ("5.4", "CVE-2020-14343", "full_load runs code"),
    "requests": ("2.33.0", "CVE-2026-25645", "a temporary file has a name that others can foresee"),
    "starlette": ("1.3.1", "CVE-2026-54283", "limits of form fields are not kept"),
    "tqdm": ("4.66.3", "CVE-2024-34062", "options of the command line run as code"),
    "urllib3": ("2.8.0", "CVE-2026-97689", "the line before a chunk takes unbounded memory"),
    "uvicorn": ("0.11.7", "CVE-2020-7695", "a header's line break splits the reply"),
    "uvloop": ("0.20.0", "CVE-2024-24806", "libuv before 1.48 cuts long host names off"),
    "werkzeug": ("3.1.6", "CVE-2026-27199", "safe_join lets device names of Windows through"),
}


def read_lock(text: str) -> dict[str, Version]:
    locked: dict[str, Version] = {}
    for line in re.findall(r"^[^\s#].*", text, re.MULTILINE):
        requirement = Requirement(line.removesuffix("\\"))
        [pin] = requirement.specifier
        assert pin.operator == "=="
        locked[canonicalize_name(requirement.name)] = Version(pin.version)
    return locked


def find_vulnerable(text: str) -> list[str]:
    return [
        f"{name} {version}: {advisory}, {about}; at least {floor} is needed"
        for name, version in read_lock(text).items()
        if name in FLOORS
        for floor, advisory, about in [FLOORS[name]]
        if version < Version(floor)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_locked_version_is_known_to_be_vulnerable(lock: str) -> None:
    assert find_vulnerable((ROOT / lock).read_text()) == []


@pytest.mark.parametrize("name", FLOORS)
def test_a_version_below_its_floor_is_found(name: str) -> None:
    text = (ROOT / "requirements-dev.txt").read_text()
    planted, count = re.subn(rf"^{name}==[^\s;]+", f"{name}=={FLOORS[name][0]}.dev1", text, flags=re.MULTILINE)
    assert count == 1, f"{name} is not locked: its line guards nothing"
    [found] = find_vulnerable(planted)
    assert found.startswith(f"{name} {FLOORS[name][0]}.dev1: {FLOORS[name][1]}")


def test_every_lock_is_read_whole() -> None:
    for lock in LOCKS:
        text = (ROOT / lock).read_text()
        # each package has hashes, and ends its first line where they begin
        assert len(read_lock(text)) == len(re.findall(r"^\S.* \\$", text, re.MULTILINE)) > 20
