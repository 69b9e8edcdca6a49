"""Exercises whose numbers hide nothing, and what a teacher's own numbers hide."""

from core.exercises.audit import Advice, Audit, Confused, Hidden, audit_problem
from core.exercises.drawing import LATEST_VERSION, Exercise, draw_exercise
from core.exercises.kinds import KINDS, Kind

__all__ = [
    "KINDS",
    "LATEST_VERSION",
    "Advice",
    "Audit",
    "Confused",
    "Exercise",
    "Hidden",
    "Kind",
    "audit_problem",
    "draw_exercise",
]
