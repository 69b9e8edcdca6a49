"""One entry of the table: all that routes, workers, the OpenAPI document and the README say of an operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, getdoc, signature
from typing import Annotated, Any, cast, get_args

from pydantic import TypeAdapter

from app.schemas.compute_bodies import Work

BODY_PROBLEMS = (400, 406, 408, 413, 415, 422, 500, 503)
"""Statuses of an operation that reads a body."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """What a client can ask for by a method and a path.

    Parameters
    ----------
    name : str
        The operation's id.
    admits : tuple of str
        Scopes, of which a key needs one; `TOKEN` where a token admits without a key. Empty: admits everybody.
    handler : callable, optional
        One core call: ``handler(body, budget)``, or nothing to take where the reply is always the same. It may take
        ``caller`` and, by name, the parameters of the path. None: the endpoint in `app.api` does all of it.
    body, reply : type, optional
        The wire classes.
    estimate : callable, optional
        ``estimate(body)`` returns what the handler will take, or None where counting takes long itself. None: what the
        handler takes shows only on the way.
    problems : tuple of int
        The statuses of its problem documents.
    """

    name: str
    method: str
    path: str
    tag: str
    admits: tuple[str, ...] = ()
    handler: Callable[..., object] | None = None
    body: type | None = None
    reply: type | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)
    estimate: Callable[[Any], Work | None] | None = None
    problems: tuple[int, ...] = BODY_PROBLEMS

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """What reads the body."""
        adapter: TypeAdapter[Any] = TypeAdapter(cast("type", self.body))
        return adapter

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """What the handler takes, by name."""
        return signature(self.handler).parameters if self.handler else {}

    def run(self, known: Mapping[str, object]) -> object:
        """Call the handler with those of the values that it takes."""
        assert self.handler is not None  # noqa: S101 - what has none is not run
        return self.handler(**{name: known[name] for name in self.parameters})

    @cached_property
    def path_parameters(self) -> Mapping[str, tuple[Any, str]]:
        """The parameters that stand in the path: annotation and description of each."""
        found = {name: get_args(one.annotation) for name, one in self.parameters.items() if f"{{{name}}}" in self.path}
        return {name: (Annotated[(annotation, *rest)], said) for name, (annotation, *rest, said) in found.items()}

    @property
    def documentation(self) -> str:
        """What the handler says of itself."""
        return getdoc(self.handler) or ""
