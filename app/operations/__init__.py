"""The table of operations: routes, workers, OpenAPI's security and the README's table are readings of it."""

from app.operations import catalogue, compute, marking, service
from core.registry import Registry

_MODULES = (compute, marking, catalogue, service)

OPERATIONS = Registry("operation", *(one for module in _MODULES for one in module.OPERATIONS))

TAGS = [module.TAG for module in _MODULES]
