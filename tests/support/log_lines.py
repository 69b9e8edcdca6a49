"""What the service logs, read back."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.logs import LineFormatter

Line = dict[str, Any]


@contextmanager
def collected(name: str = "gradmark.requests", level: int = logging.DEBUG) -> Iterator[list[Line]]:
    """Collect the lines that are logged meanwhile under a name; they are there at the end."""
    logger, stream, lines = logging.getLogger(name), io.StringIO(), list[Line]()
    handler, before = logging.StreamHandler(stream), logger.level
    handler.setFormatter(LineFormatter())
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        lines += map(json.loads, stream.getvalue().splitlines())
