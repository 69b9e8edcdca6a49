"""Tables in Markdown, and the parts of the README that hold them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row

README = Path(__file__).with_name("README.md")

COLUMNS = ("what", "beside", "ours", "peer", "ratio", "quartiles", "goal", "reached")

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def write_table(rows: Sequence[Row]) -> str:
    """Write rows as a table, and notes below it on those that miss their goal."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|---:|---:|---:|---:|---:|---|"]
    notes = list(dict.fromkeys(row.why for row in rows if row.why and not row.is_met))
    for row in rows:
        note = f", note {notes.index(row.why) + 1}" if row.why in notes else ""
        reached = "" if row.goal is None else "yes" if row.is_met else f"**no**{note}"
        times = (seconds(row.ours), seconds(row.theirs))
        ratios = (f"{row.ratio:.3g}", f"{row.spread[0]:.3g}–{row.spread[1]:.3g}")
        cells = (row.what, row.peer, *times, *ratios, row.goal or "", reached)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for number, note in enumerate(notes, start=1))]).rstrip()


def seconds(value: float) -> str:
    """Write a time with three digits and its unit."""
    scale, unit = next((pair for pair in UNITS if abs(value) >= pair[0]), UNITS[-1])
    return f"{value / scale:.3g} {unit}" if abs(value / scale) < 999.5 else f"{value / scale:.0f} {unit}"


def build_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Build what reads a measurement's command line; `--write` keeps what it prints."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--write", action="store_true", help="put the tables into the README beside this file")
    return parser


def publish(module: str, text: str, *, write: bool) -> None:
    """Print what a module measured; where asked, put it between the module's marks in the README as well."""
    sys.stdout.write(text + "\n")
    if write:
        start, end = f"<!-- python -m {module} --write: from here -->", f"<!-- python -m {module} --write: to here -->"
        before, rest = README.read_text(encoding="utf-8").split(start)
        _, after = rest.split(end)
        README.write_text(f"{before}{start}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
