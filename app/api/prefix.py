"""The path prefix under which a proxy serves the service, where it passes the prefix on."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send


def add_prefix(app: FastAPI, prefix: str) -> None:
    """Answer paths with a prefix as those without; paths without are answered as ever, for proxies that strip it."""
    if prefix:
        app.add_middleware(StripPrefix, prefix=prefix)


class StripPrefix:
    """Takes the prefix off a request's path. Starlette's own root_path finds no files where a proxy strips it, too."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            # in place: what the router finds is written into the same scope, and read outside of this
            scope["path"] = path.removeprefix(self._prefix) or "/"
        await self._app(scope, receive, send)
