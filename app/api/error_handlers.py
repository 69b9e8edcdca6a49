"""Answers every exception that a request can cause with its problem document."""

from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from app.errors import MEDIA_TYPE, BodyError, ProblemDocument, describe_error, describe_validation, write_problem
from app.record import Facts, note_facts
from core.errors import CoreError

HTTP_DETAILS = {
    404: "there is no such path; /docs shows those there are",
    405: "this path takes another method; needed {Allow}",
}


def add_error_handlers(app: FastAPI) -> None:
    """Make every exception that a request can cause a problem document; `Watch` does so with bugs."""
    for kind in (BodyError, ValidationError, RequestValidationError, CoreError, HTTPException):
        app.add_exception_handler(kind, handle_error)


async def handle_error(request: Request, error: Exception) -> Response:
    """Answer an exception, whatever raised it."""
    document = _describe(error)
    note_facts(request.scope, Facts(reason=document.reason))
    return problem_response(document, headers=getattr(error, "headers", None))


def problem_response(document: ProblemDocument, *, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem document."""
    return Response(orjson.dumps(document), document.status, headers, MEDIA_TYPE)


def _describe(error: Exception) -> ProblemDocument:
    match error:
        case RequestValidationError():
            return describe_validation(error.errors())
        case HTTPException():
            detail = HTTP_DETAILS.get(error.status_code, error.detail).format(
                **{"Allow": ""} | dict(error.headers or {})
            )
            return write_problem(error.status_code, [], detail=detail)
    return describe_error(error)
