"""Answers every exception that a request can cause with its problem document."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from app.errors import BodyError, describe_error, problem_response
from app.record import Facts, record_of
from core.errors import CoreError


def add_error_handlers(app: FastAPI) -> None:
    """Make every exception that a request can cause a problem document; `Watch` does so with bugs."""
    for kind in (BodyError, ValidationError, RequestValidationError, CoreError, HTTPException):
        app.add_exception_handler(kind, handle_error)


async def handle_error(request: Request, error: Exception) -> Response:
    """Answer an exception, whatever raised it."""
    document = describe_error(error)
    record_of(request.scope).facts = Facts(reason=document.reason)
    return problem_response(document, headers=getattr(error, "headers", None))
