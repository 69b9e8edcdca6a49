"""The table of operations: routes, workers, OpenAPI's security and the README's table are readings of it."""

from app.operations import catalogue, compute, marking, service
from app.operations.operation import Operation, Work
from core.registry import Registry

__all__ = ["OPERATIONS", "TAGS", "Operation", "Work"]

_MODULES = (compute, marking, catalogue, service)

OPERATIONS = Registry("operation", *(one for module in _MODULES for one in module.OPERATIONS))

TAGS = [module.TAG for module in _MODULES]
