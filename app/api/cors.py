"""Pages of other origins: which of them may read replies, as browsers ask for it."""

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from app.api.error_handlers import problem_response
from app.errors import ErrorItem, write_problem

METHODS = ("GET", "HEAD", "POST")
TAKEN_HEADERS = ("Authorization", "Content-Type", "X-Request-ID", "traceparent")
SHOWN_HEADERS = ("X-Request-ID", "Retry-After", "WWW-Authenticate")

REFUSED = (
    "a page of this origin may not send this; needed an origin of GRADMARK_CORS_ORIGINS, a method of "
    f"{', '.join(METHODS)}, and no headers beside {', '.join(TAKEN_HEADERS)}"
)


def add_cors(app: FastAPI, origins: str) -> None:
    """Let pages of other origins read replies: those named, apart by commas; ``*`` stands for all."""
    if origins:
        app.add_middleware(
            ProblemCORSMiddleware,
            allow_origins=origins.split(","),
            allow_methods=METHODS,
            allow_headers=TAKEN_HEADERS,
            expose_headers=SHOWN_HEADERS,
            # a page of the internet may ask a service in the network that its reader is in
            allow_private_network=True,
        )


class ProblemCORSMiddleware(CORSMiddleware):
    """Refuses with a problem document, as everything here does."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before it sends a page's request."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return problem_response(write_problem(403, [ErrorItem("", "cors", REFUSED)]), headers=kept)
