"""The only place where JSON meets NumPy: arrays, names, the readers of bodies, the writers of replies.

The forms of single fields, which the classes of `app.schemas` are made of, stand in `app.wire.fields`.
"""

from app.wire.limits import DEFAULT_LIMITS, Limits
from app.wire.reading import NotJsonError, parse_body
from app.wire.tensors import TENSORS_TYPE, encode_tensors, parse_tensors
from app.wire.writing import encode

__all__ = [
    "DEFAULT_LIMITS",
    "TENSORS_TYPE",
    "Limits",
    "NotJsonError",
    "encode",
    "encode_tensors",
    "parse_body",
    "parse_tensors",
]
