"""Marking in bulk: lines of JSON in, lines of JSON out, in order and in constant memory.

Read in this order: `lines` cuts a file into chunks and reads what a line holds, `ids` takes the ids out of lines,
`templates` reads the numbers of lines that are written alike, `chunks` marks a chunk and `replies` writes. `bulk` has
the service mark a request, `grade_command` a file.
"""
