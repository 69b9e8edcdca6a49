"""Reading answers: a JSON value, an array, or text as people write and programs print arrays, becomes numbers.

An answer never makes a request fail: what cannot be read comes back with the place and the reason. Text is
split into tokens and parsed; nothing in it is evaluated. What tools add to numbers is listed in `forms`, one
entry for each. Read in this order: `answer` holds what comes out, `assembly` keeps numbers to one shape,
`values` walks a JSON value, `characters`, `numbers` and `tokens` split text, `text` and `rows` parse it, and
`readings` decides by the shape asked for where a text can be meant in several ways.
"""

from core.answers.answer import MOST_NUMBERS, Answer, ReadingFault, read_answer
from core.answers.assembly import MOST_AXES
from core.answers.decimals import DECIMALS_OF_ZERO, Counts, count_decimals
from core.answers.forms import FORMS, Example, Form

__all__ = [
    "DECIMALS_OF_ZERO",
    "FORMS",
    "MOST_AXES",
    "MOST_NUMBERS",
    "Answer",
    "Counts",
    "Example",
    "Form",
    "ReadingFault",
    "count_decimals",
    "read_answer",
]
