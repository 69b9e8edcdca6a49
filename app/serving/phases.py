"""What a connection is waiting for."""

from enum import Enum, auto


class Phase(Enum):
    """What a connection is waiting for."""

    SILENT = auto()
    """The first byte of a request's head."""
    HEAD = auto()
    BODY = auto()
    REST = auto()
    """The end of a body that has been answered already."""
    DONE = auto()
    """Nothing: the request is complete; once it is answered, the next one."""
    DEAF = auto()
    """The end of the connection: what still comes is not read."""
