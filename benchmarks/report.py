"""The table in Markdown, and the part of the README that holds it."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row

README = Path(__file__).with_name("README.md")
START, END = "<!-- python -m benchmarks --write: from here -->", "<!-- python -m benchmarks --write: to here -->"

COLUMNS = ("what", "beside", "ours", "peer", "ratio", "quartiles", "goal", "reached")

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def write_table(rows: Sequence[Row]) -> str:
    """Write rows as a table, and below it why those that miss their goal do."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|---:|---:|---:|---:|---:|---|"]
    for row in rows:
        reached = "" if row.goal is None else "yes" if row.is_met else "**no**"
        times = (seconds(row.ours), seconds(row.theirs))
        ratios = (f"{row.ratio:.3g}", f"{row.spread[0]:.3g}–{row.spread[1]:.3g}")
        cells = (row.what, row.peer, *times, *ratios, row.goal or "", reached)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    missed: dict[str, list[str]] = {}
    for row in rows:
        if not row.is_met and row.why:
            missed.setdefault(row.why, []).append(f"{row.what}, beside {row.peer}")
    reasons = [f"- {'; '.join(names)}: {why}" for why, names in missed.items()]
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def seconds(value: float) -> str:
    """Write a time with three digits and its unit."""
    scale, unit = next((pair for pair in UNITS if value >= pair[0]), UNITS[-1])
    return f"{value / scale:.3g} {unit}" if value / scale < 999.5 else f"{value / scale:.0f} {unit}"


def put_into_readme(text: str) -> None:
    """Replace what stands between the two marks."""
    before, rest = README.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    README.write_text(f"{before}{START}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")
