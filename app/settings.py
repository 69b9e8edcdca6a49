"""Every setting of the service, in one frozen table, read from the environment."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.cores import DEFAULT_PROCESSES
from app.logs import LogFormat
from app.wire.limits import DEFAULT_LIMITS, Limits
from core.budget import Budget

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]

DEFAULT_BUDGET = Budget()
DEFAULT_PORT = 8000

PREFIX = "GRADMARK_"

# no % and no dot at the beginning of a segment: proxies write those anew
ROOT_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
NO_ROOT_PATH = (
    "needed a path like /gradmark or /courses/ml: a slash before each part and none at the end, parts of letters, "
    "digits and -._~ without a dot at the beginning"
)

ORIGIN = r"https?://[a-z0-9.:\[\]-]+"
ORIGINS = re.compile(rf"\*|{ORIGIN}(,{ORIGIN})*")
NO_ORIGINS = (
    "needed origins like https://course.example, in lower case, apart by commas without spaces, with no slash at the "
    "end; or * for all"
)

# what Kubernetes tells pods of a Service named gradmark, or gradmark-something, in variables and in their values
LINK = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class SettingError(Exception):
    """Settings, keys or secrets that make no sense; the message repeats nothing of their values."""


class Chosen(BaseModel, use_attribute_docstrings=True):
    """What you set: where the service listens, what it logs, whom it admits and how it stops."""

    host: str = "127.0.0.1"
    """Address to listen on. The image sets 0.0.0.0."""
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    """Port to listen on. 0 picks a free port."""
    root_path: str = ""
    """Path prefix of the service behind a proxy, such as /gradmark. Needed where the proxy passes it on. Paths without
    it are served, too."""
    client_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")] = ""
    """Header in which your proxy names the client, such as X-Forwarded-For. Its last entry counts. Without it: the
    address of the connection."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest severity to log: debug, info, warning or error."""
    log_format: LogFormat | None = None
    """Form of log lines: json, or text for people. Without it: text if standard output is a terminal, else json."""
    keys: SecretStr = SecretStr("")
    """API keys, one per line: name, scopes, hash, as `python -m app key` prints them. Without keys the service is open
    to everyone."""
    keys_file: Path | None = None
    """File with such lines, instead of GRADMARK_KEYS."""
    token_secrets: SecretStr = SecretStr("")
    """Secrets that sign exercise tokens, at least 32 characters each, separated by spaces or commas. The last one
    signs, each of them verifies. Without any: a random secret at each start."""
    cors_origins: str = ""
    """Origins whose pages may read replies, in lower case, separated by commas. `*` stands for all. Without any:
    none."""
    stop_seconds: Positive = 5
    """Seconds that requests in flight have to finish when the service stops. After that: 503."""
    drain_seconds: NotNegative = 3
    """Seconds after SIGTERM in which new requests are still served, while `/health/ready` says 503."""

    @field_validator("port", mode="before")
    @classmethod
    def _pass_over_link(cls, given: object) -> object:
        return DEFAULT_PORT if isinstance(given, str) and LINK_ADDRESS.match(given) else given

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _pass_over_case(cls, given: object) -> object:
        return given.lower() if isinstance(given, str) else given

    @field_validator("root_path")
    @classmethod
    def _require_prefix(cls, given: str) -> str:
        if given and not ROOT_PATH.fullmatch(given):
            raise PydanticCustomError("root_path", NO_ROOT_PATH)
        return given

    @field_validator("cors_origins")
    @classmethod
    def _require_origins(cls, given: str) -> str:
        if given and not ORIGINS.fullmatch(given):
            raise PydanticCustomError("origins", NO_ORIGINS)
        return given


class Tuning(BaseModel, use_attribute_docstrings=True):
    """Tuning: how much of the machine the service uses, and how long it waits. The defaults fit two cores and 2 GiB."""

    processes: NotNegative = DEFAULT_PROCESSES
    """Worker processes for marking, exercises and larger JSON. With 0, a thread of the serving process does this
    work."""
    max_connections: Positive = 4096
    """Maximum open connections. Needs 256 spare file descriptors. Beyond it, the connections that have stalled longest
    are closed."""
    max_waiting: NotNegative = 64
    """Maximum requests that wait in each queue. One more: 503."""
    queue_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Seconds that a request may wait in a queue. After that: 503."""
    max_memory_bytes: Positive = 128 * 1024 * 1024
    """Bytes of request bodies and replies in memory, of all requests together. Beyond it, and beyond half of it while
    other clients use the rest: 503."""
    max_spool_bytes: Positive = 1024**3
    """Bytes of bulk requests in temporary files, of all requests together. Beyond it, and beyond half of it while other
    clients use the rest: 503."""
    client_seconds: Positive = 10
    """Seconds that a client may stall while it sends a request or takes a reply, or be silent between requests. After
    that, an unfinished request gets 408, an unread reply is reset, and an idle connection is closed."""
    receive_rate: Positive = 65_536
    """Bytes of a request that give its client one more second to send it."""
    send_rate: Positive = 262_144
    """Bytes of a reply that give its client one more second to take it."""


class Ceilings(BaseModel, use_attribute_docstrings=True):
    """Limits: the most that one request may ask for. A request beyond them is rejected, and says which one."""

    max_body_bytes: Positive = 32 * 1024 * 1024
    """Maximum bytes of a request body. Larger: 413."""
    max_bulk_bytes: Positive = 1024**3
    """Maximum bytes of a bulk request, which is kept in a temporary file while it is read. Larger: 413."""
    max_numbers: Positive = DEFAULT_BUDGET.numbers
    """Maximum numbers in a body, in a result and in its intermediates, each. More: 422."""
    max_operations: Positive = DEFAULT_BUDGET.operations
    """Maximum multiply-adds of one request. Each call of a step counts as 100,000. More: 422."""
    max_depth: Annotated[int, Field(ge=16, le=128)] = DEFAULT_LIMITS.depth
    """Maximum depth of lists and objects in a body. Deeper: 400. In an answer, more than 8 levels are marked
    `unreadable` instead, whatever this limit is."""
    max_token_seconds: Positive = 31 * 24 * 3600
    """Maximum seconds that a token is asked to hold. Longer: 422."""
    max_keyless_bytes: Positive = 64 * 1024
    """Maximum bytes of a body without a key, which is read for the token in it. Larger: 413."""
    max_header_bytes: Positive = 16_384
    """Maximum bytes of a request line and its headers. More: 431."""


GROUPS: tuple[type[BaseModel], ...] = (Chosen, Tuning, Ceilings)


def _name_variable(field: str) -> str:
    return PREFIX + field.upper()


class Settings(Chosen, Tuning, Ceilings, BaseSettings):
    """The service's settings; each is read from ``GRADMARK_<NAME>``, in capitals."""

    model_config = SettingsConfigDict(
        alias_generator=_name_variable, populate_by_name=True, case_sensitive=True, env_ignore_empty=True, frozen=True
    )

    @property
    def budget(self) -> Budget:
        """What one request may hold and do."""
        return Budget(numbers=self.max_numbers, operations=self.max_operations)

    @property
    def limits(self) -> Limits:
        """What one document may be like."""
        return Limits(values=self.max_numbers, depth=self.max_depth)


REMOVED: Mapping[str, str] = {
    "receive_seconds": "set GRADMARK_CLIENT_SECONDS",
    "send_seconds": "set GRADMARK_CLIENT_SECONDS",
    "idle_seconds": "set GRADMARK_CLIENT_SECONDS",
    "max_headers": "it is fixed now, at 64 headers",
    "max_tiny_chunks": "it is fixed now, at 10,000 chunks of less than 16 bytes",
    "max_pipelined": "it is fixed now, at 16 requests",
    "inline_bytes": "it is fixed now, at 16 KiB",
    "inline_operations": "it is fixed now, at 10 million multiply-adds",
    "process_bytes": "it is fixed now, at 512 KiB",
    "threads": "it is fixed now, at one thread",
    "bulk_requests": "bulk requests take turns now, however many there are",
    "max_held_bytes": "set GRADMARK_MAX_MEMORY_BYTES, for bodies and replies together",
    "max_held_reply_bytes": "set GRADMARK_MAX_MEMORY_BYTES, for bodies and replies together",
    "max_held_bulk_bytes": "set GRADMARK_MAX_SPOOL_BYTES",
    "max_digits": "it is fixed now, at 1,000 characters",
    "max_tensor_head_bytes": "it is fixed now, at 1 MiB",
}
"""Settings that there were, and what to do instead."""


def require_known(environment: Mapping[str, str]) -> None:
    """Check that every variable that is named like a setting is one: a misspelt one would go unheeded.

    The `SettingError` names the nearest setting, or what to do instead of one that was removed. Variables that
    Kubernetes sets for its Services are passed over.
    """
    unknown = [
        f"{variable} is no setting{_advise(variable.upper().removeprefix(PREFIX))}"
        for variable, value in sorted(environment.items())
        if variable.upper().startswith(PREFIX) and not _is_known(variable, value)
    ]
    if unknown:
        raise SettingError("\n".join(unknown))


def _is_known(variable: str, value: str) -> bool:
    name = variable.removeprefix(PREFIX)
    is_link = variable.startswith(PREFIX) and (LINK.fullmatch(name) or LINK_ADDRESS.match(value))
    return bool(is_link) or variable in map(_name_variable, Settings.model_fields)


def _advise(name: str) -> str:
    if instead := REMOVED.get(name.lower()):
        return f" any more: {instead}"
    near = get_close_matches(name, [field.upper() for field in Settings.model_fields], n=1)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""
