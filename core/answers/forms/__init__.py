"""The forms of text that answers are read from: each is one entry, with its own examples."""

from core.answers.forms.documents import DOCUMENTS
from core.answers.forms.form import Example, Form, Numbers, Rewrite
from core.answers.forms.python import PYTHON
from core.answers.forms.systems import SYSTEMS
from core.registry import Registry

FORMS = Registry("form", *PYTHON, *SYSTEMS, *DOCUMENTS)
"""In the order in which their patterns are tried."""

__all__ = ["FORMS", "Example", "Form", "Numbers", "Rewrite"]
