"""How the service is, for whoever runs it; `app.api.service` answers what changes, from the application's state."""

import platform
from functools import partial

import numpy as np

from app import __version__
from app.access.admission import Access
from app.operations.operation import Operation
from app.schemas.compute_replies import HealthReply, VersionReply

TAG = {"name": "service", "description": "How the service is, for whoever runs it."}


def read_live() -> HealthReply:
    """Say that the process answers at all; a failure means: restart it."""
    return HealthReply(status="live")


def read_version(access: Access) -> VersionReply:
    """Say what is running, and whether a key is needed."""
    return VersionReply(
        name="gradmark",
        version=__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        access="open" if access.is_open else "keys",
    )


_reading = partial(Operation, method="GET", tag=TAG["name"])

OPERATIONS = (
    _reading(handler=read_live, path="/health/live", reply=HealthReply, problems=(500,)),
    _reading(endpoint="read_ready", path="/health/ready", reply=HealthReply, problems=(500, 503)),
    _reading(handler=read_version, path="/version", reply=VersionReply, problems=(500,)),
    _reading(endpoint="read_metrics", path="/metrics", problems=(500,)),
)
