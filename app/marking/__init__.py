"""Marking in bulk: lines of JSON in, lines of JSON out, in order and in constant memory.

The first line may hold defaults that all others share. A bad line is answered by its problem and stops
nothing; the last line of the reply is a summary, so that a reply that was cut short can be told. Read in this
order: `lines` cuts a file into chunks, `ids` takes the ids out of its lines, `forms` takes the numbers out of lines
that are written alike, `chunks` answers a chunk piece by piece and `replies` writes. A long line goes where
`long_lines` says.
"""

from app.marking.chunks import PIECE_BYTES, ChunkMarker, Terms
from app.marking.lines import MEDIA_TYPE, Bulk
from app.marking.long_lines import DefaultsError, LongLine, ProcessAside, answer_line

__all__ = [
    "MEDIA_TYPE",
    "PIECE_BYTES",
    "Bulk",
    "ChunkMarker",
    "DefaultsError",
    "LongLine",
    "ProcessAside",
    "Terms",
    "answer_line",
]
