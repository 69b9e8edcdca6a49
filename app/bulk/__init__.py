"""Marking in bulk: lines of JSON in, lines of JSON out, in order and in constant memory.

The first line may hold defaults that all others share. A bad line is answered by its problem and stops
nothing; the last line of the reply is a summary, so that a reply that was cut short can be told. Read in this
order: `lines` cuts a file into chunks, `ids` takes the ids out of its lines, `forms` takes the numbers out of lines
that are written alike, `marking` answers a chunk piece by piece, `replies` writes and `summary` counts. A long
line goes where `long_lines` says.
"""

from app.bulk.lines import MEDIA_TYPE, Bulk
from app.bulk.long_lines import DefaultsError, LongLine, ProcessAside, answer_line
from app.bulk.marking import PIECE_BYTES, ChunkMarker, Terms
from app.bulk.summary import MOST_COUNTED, OTHERS, Summary

__all__ = [
    "MEDIA_TYPE",
    "MOST_COUNTED",
    "OTHERS",
    "PIECE_BYTES",
    "Bulk",
    "ChunkMarker",
    "DefaultsError",
    "LongLine",
    "ProcessAside",
    "Summary",
    "Terms",
    "answer_line",
]
