"""One entry of the table: all that routes, workers, the OpenAPI document and the README say of an operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, cast

from pydantic import TypeAdapter

BODY_PROBLEMS = (400, 406, 408, 413, 415, 422, 500, 503)  # statuses of an operation that reads a body


@dataclass(frozen=True, slots=True)
class Work:
    """What a computation takes, from shapes alone."""

    operations: int
    """Multiply-adds, calls included."""
    numbers: int
    """In the reply."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """What a client can ask for by a method and a path.

    Its name, which is the OpenAPI operation id, is the handler's, or that of the endpoint in `app.api`.
    """

    handler: Callable[..., object] | None = None
    """One core call: it takes what it names, of ``body``, ``budget``, ``caller``, ``access`` and the path's parameters.

    A handler without a body always returns the same.
    """
    endpoint: str = ""
    """The name of the function in `app.api` that answers where there is no handler."""
    method: str = "POST"
    path: str
    tag: str
    admits: tuple[str, ...] = ()
    """Scopes, of which a key needs one; `TOKEN` where a token admits without a key. Empty: admits everybody."""
    reply: type | None = None
    """The reply's wire class."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Bodies that are answered with 200, as OpenAPI has them."""
    estimate: Callable[[Any], Work | None] | None = None
    """Returns what the handler will take, from the body's shapes, or None where counting takes long itself.

    Without it, what the handler takes shows only on the way.
    """
    problems: tuple[int, ...] = BODY_PROBLEMS
    """The statuses of its problem documents."""

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.handler.__name__ if self.handler else self.endpoint

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """What the handler takes, by name."""
        return signature(self.handler).parameters if self.handler else {}

    @property
    def body(self) -> type | None:
        """The body's wire class; of a GET, the model of the parameters in path and query."""
        return self.parameters["body"].annotation if "body" in self.parameters else None

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What reads the body."""
        adapter: TypeAdapter[Any] = TypeAdapter(cast("type", self.body))
        return adapter

    def run(self, known: Mapping[str, object]) -> object:
        """Call the handler with those of the values that it takes."""
        assert self.handler is not None  # noqa: S101 - what has none is not run
        return self.handler(**{name: known[name] for name in self.parameters})
