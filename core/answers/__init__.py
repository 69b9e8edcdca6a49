"""Reading answers: a JSON value, or text as people write and programs print arrays, becomes numbers.

An answer never makes a request fail: what cannot be read comes back with the place and the reason. Text is
split into tokens and parsed; nothing in it is evaluated. Read in this order: `answer` holds what comes out,
`assembly` keeps numbers to one shape, `values` walks a JSON value, and `tokens`, `rows` and `text` read
text: its signs, what separates entries and rows, and its brackets.
"""

from core.answers.answer import MOST_NUMBERS, Answer, Reading, read_answer
from core.answers.assembly import MOST_AXES
from core.answers.decimals import Counts, count_decimals

__all__ = ["MOST_AXES", "MOST_NUMBERS", "Answer", "Counts", "Reading", "count_decimals", "read_answer"]
