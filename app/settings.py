"""Every setting of the service, in one frozen table, read from the environment."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.cores import DEFAULT_PROCESSES
from app.wire import DEFAULT_LIMITS, Limits
from core.budget import Budget

DEFAULT_BUDGET = Budget()
DEFAULT_PORT = 8000

PREFIX = "GRADMARK_"

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
    """Variables that the service cannot be started with; the message repeats nothing of their values."""


class Settings(BaseSettings):
    """The service's settings; each is read from ``GRADMARK_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; the image sets 0.0.0.0.")
    port: int = Field(DEFAULT_PORT, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    stop_seconds: int = Field(5, ge=1, description="How long requests in flight may take to finish when it stops.")
    drain_seconds: int = Field(
        3, ge=0, description="How long requests are still taken after SIGTERM, while `/health/ready` says 503."
    )
    receive_seconds: int = Field(
        10, ge=1, description="How long a request may keep waiting, beside what its bytes earn meanwhile; then 408."
    )
    receive_rate: int = Field(65_536, ge=1, description="Bytes of a request that earn it one more second to arrive.")
    idle_seconds: int = Field(10, ge=1, description="How long a connection is kept that asks nothing.")
    send_seconds: int = Field(
        10,
        ge=1,
        description="How long a client may keep a reply waiting, beside what it takes earns it; then its connection "
        "is ended.",
    )
    send_rate: int = Field(262_144, ge=1, description="Bytes of a reply that earn its client one more second.")
    max_header_bytes: int = Field(16_384, ge=1, description="Most bytes of a request line and headers; more is 431.")
    max_headers: int = Field(64, ge=1, description="Most headers of a request; more is 431.")
    max_tiny_chunks: int = Field(
        10_000, ge=0, description="Most chunks of a body that have less than 16 bytes; more is 400."
    )
    max_pipelined: int = Field(
        16,
        ge=1,
        description="Most requests that one connection sends before it is answered; after one more it is ended.",
    )
    max_connections: int = Field(
        4096,
        ge=1,
        description="Most connections, if 256 more files may be open; past them, those are closed that have kept the "
        "service waiting for longest.",
    )
    processes: int = Field(
        DEFAULT_PROCESSES,
        ge=0,
        description="Processes beside the one that serves, for marking, exercises, larger JSON and longer "
        "computations; with 0 its threads do that work, too.",
    )
    inline_bytes: int = Field(
        16 * 1024, ge=0, description="Largest JSON body that is read on the event loop; a larger one is in a process."
    )
    inline_operations: int = Field(
        10_000_000,
        ge=0,
        description="Most multiply-adds, about a millisecond's, that are done on the event loop; more in a process.",
    )
    process_bytes: int = Field(
        512 * 1024,
        ge=0,
        description="Smallest JSON reply that is left to a process, whatever the body is; a JSON body of that "
        "size is, too, and a line of a bulk request.",
    )
    threads: int = Field(
        1,
        ge=1,
        description="Requests that are computed in threads at once: binary bodies, long computations, and where there "
        "is no process, all that is not small.",
    )
    bulk_requests: int = Field(2, ge=1, description="Bulk requests that are marked at once.")
    max_waiting: int = Field(
        64,
        ge=0,
        description="Requests that may wait, for the event loop, a thread, a process and the marking in bulk each; one "
        "more is 503.",
    )
    queue_seconds: float = Field(
        2.0,
        gt=0,
        description="How long a request may wait for a thread, a process or the marking in bulk; after that, 503.",
    )
    max_held_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1,
        description="Bytes of bodies in memory, of all requests that are not answered yet; a request that would make "
        "it more is 503, unless it is the only one.",
    )
    max_held_reply_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1,
        description="Bytes of replies in memory, of all that are being made or sent; a request whose reply would make "
        "it more is 503, unless it is the only one.",
    )
    max_held_bulk_bytes: int = Field(
        1024**3,
        ge=1,
        description="Bytes of bulk requests in temporary files, of all together; a request that would make it more is "
        "503, unless it is the only one.",
    )
    max_body_bytes: int = Field(32 * 1024 * 1024, ge=1, description="Largest request body; a larger one is 413.")
    max_bulk_bytes: int = Field(
        1024**3,
        ge=1,
        description="Largest bulk request, kept in a temporary file while it is read; a larger one is 413.",
    )
    max_numbers: int = Field(
        DEFAULT_BUDGET.numbers,
        ge=1,
        description="Most numbers in a body, in a result and in its intermediates, each; more is 422.",
    )
    max_operations: int = Field(
        DEFAULT_BUDGET.operations,
        ge=1,
        description="Most multiply-adds that one request may take, a step's call counted as 100,000; more is 422.",
    )
    keys: SecretStr = Field(
        SecretStr(""),
        description="API keys, one a line: name, scopes, hash, as `python -m app key` prints them; none: open to all.",
    )
    keys_file: Path | None = Field(None, description="A file with such lines, in place of GRADMARK_KEYS.")
    token_secrets: SecretStr = Field(
        SecretStr(""),
        description="Secrets of at least 32 characters that sign exercise tokens, apart by spaces or commas: the last "
        "signs, any of them verifies; without one, a random secret at each start.",
    )
    max_token_seconds: int = Field(
        31 * 24 * 3600, ge=1, description="The longest that a token may be asked to hold; longer is 422."
    )
    max_keyless_bytes: int = Field(
        64 * 1024,
        ge=1,
        description="Largest body that is read of somebody without a key, for the token in it; a larger one is 413.",
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may read replies, in lower case and apart by commas; `*` for all; else none.",
    )
    max_depth: int = Field(
        DEFAULT_LIMITS.depth,
        ge=16,
        le=128,
        description="Most lists and objects inside each other in a body; deeper is 400, in an answer unreadable.",
    )
    max_digits: int = Field(
        DEFAULT_LIMITS.digits,
        ge=32,
        description="Most characters of one number in a body; more is 400, in an answer read as float64.",
    )

    max_tensor_head_bytes: int = Field(
        DEFAULT_LIMITS.head,
        ge=4096,
        description="Most bytes of JSON before the arrays of a body in binary form; more is 413.",
    )

    @field_validator("port", mode="before")
    @classmethod
    def _pass_over_link(cls, given: object) -> object:
        return DEFAULT_PORT if isinstance(given, str) and LINK_ADDRESS.match(given) else given

    @field_validator("cors_origins")
    @classmethod
    def _require_origins(cls, given: str) -> str:
        if given and not ORIGINS.fullmatch(given):
            raise PydanticCustomError("origins", NO_ORIGINS)
        return given

    @property
    def budget(self) -> Budget:
        """What one request may hold and do."""
        return Budget(numbers=self.max_numbers, operations=self.max_operations)

    @property
    def limits(self) -> Limits:
        """What one document may be like."""
        return Limits(
            values=self.max_numbers, depth=self.max_depth, digits=self.max_digits, head=self.max_tensor_head_bytes
        )


def require_known(environment: Mapping[str, str]) -> None:
    """Check that every variable that is named like a setting is one: a misspelt one would go unheeded.

    Parameters
    ----------
    environment : mapping
        With names in capitals.

    Raises
    ------
    SettingError
        If there are others, beside those that Kubernetes sets.
    """
    known = [name.upper() for name in Settings.model_fields]
    unknown = []
    for variable, value in sorted(environment.items()):
        name = variable.removeprefix(PREFIX)
        is_ours = variable.startswith(PREFIX) and not (LINK.fullmatch(name) or LINK_ADDRESS.match(value))
        if is_ours and name not in known:
            near = [f"; did you mean {PREFIX}{one}?" for one in get_close_matches(name, known, n=1)]
            unknown.append(f"{variable} is no setting{''.join(near)}")
    if unknown:
        raise SettingError("\n".join(unknown))
