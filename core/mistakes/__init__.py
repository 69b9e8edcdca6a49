"""What students get wrong: each mistake as an exact change of the table of steps, or of a finished answer.

A mistake is one entry in one of the families below; the API, the catalogue, exercises and the tests find
it by itself.

References
----------
.. [1] The entries come from course forums, issue trackers and student implementations of softmax layers
   and small networks.
"""

from core.mistakes.batch import BATCH_MISTAKES
from core.mistakes.finished import FINISHED_MISTAKES
from core.mistakes.layers import LAYER_MISTAKES
from core.mistakes.logits import LOGITS_MISTAKES
from core.mistakes.loss import LOSS_MISTAKES
from core.mistakes.mistake import EXAMPLE_PROBLEM, Indices, Mistake, Signs, Transform, Variant
from core.mistakes.parameters import PARAMETER_MISTAKES
from core.mistakes.regularisation import REGULARISATION_MISTAKES
from core.mistakes.sizes import SIZE_MISTAKES
from core.mistakes.softmax import SOFTMAX_MISTAKES
from core.mistakes.symbols import SYMBOLS
from core.registry import Registry

MISTAKES: Registry[Mistake] = Registry(
    "mistake",
    *BATCH_MISTAKES,
    *LOSS_MISTAKES,
    *SOFTMAX_MISTAKES,
    *LOGITS_MISTAKES,
    *LAYER_MISTAKES,
    *PARAMETER_MISTAKES,
    *REGULARISATION_MISTAKES,
    *SIZE_MISTAKES,
    *FINISHED_MISTAKES,
)

PRECEDENCE = {name: rank for rank, name in enumerate(MISTAKES)}
"""Where each stands in the registry; of several that give the same numbers, the first is named."""

__all__ = [
    "EXAMPLE_PROBLEM",
    "MISTAKES",
    "PRECEDENCE",
    "SYMBOLS",
    "Indices",
    "Mistake",
    "Signs",
    "Transform",
    "Variant",
]
