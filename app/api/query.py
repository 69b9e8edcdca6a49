"""What stands in a query, before the framework reads it: of a parameter given twice it would take the last."""

from collections import Counter

from fastapi import Request

from app.errors import BodyError, name_key


async def require_distinct_parameters(request: Request) -> None:
    """Refuse a query that has a parameter twice; for every endpoint that reads a query."""
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if times > 1:
            message = f"{name_key([name])} stands {times} times in the query; only one of the values could count"
            raise BodyError(422, "duplicate_key", message, path=("query", name))
