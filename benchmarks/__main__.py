"""Every subject, or those named, as one Markdown document: ``python -m benchmarks [--write] [subject ...]``."""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.environment import describe_machine, environments
from benchmarks.harness import Row, take_over
from benchmarks.report import put_into_readme, write_table

ROOT = Path(__file__).parents[1]

SUBJECTS = ("layer", "network", "jacobians", "service", "reading", "bulk_lines", "neighbours")
"""Modules of this package that hand rows over, in the order of the table."""


def measure(subject: str, environment: Mapping[str, str]) -> tuple[list[Row], dict[str, str]]:
    """Measure a subject in a process of its own, since BLAS reads its environment once."""
    command = [sys.executable, "-m", f"benchmarks.{subject}"]
    rows, facts = [], {}
    with subprocess.Popen(  # noqa: S603 - a module of this package
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for item in take_over(process.stdout):
            if isinstance(item, Row):
                rows.append(item)
                sys.stderr.write(f"{item.what}, beside {item.peer}: {item.ratio:.3g}\n")
            else:
                facts = item
    if process.returncode:
        sys.exit(f"{subject} ended with status {process.returncode}")
    return rows, facts


def write_document(subjects: Sequence[str]) -> str:
    """Measure subjects in every environment and write the document."""
    parts = [f"Measured on {describe_machine()}. One thread each."]
    for title, environment in environments().items():
        rows: list[Row] = []
        facts: dict[str, str] = {}
        for subject in subjects:
            found, facts_of_subject = measure(subject, environment)
            rows += found
            facts |= facts_of_subject
        loaded = "; ".join(f"{name} ({fact})" for name, fact in facts.items())
        parts += [f"### {title}", f"{loaded}.", write_table(rows)]
    return "\n\n".join(parts)


def main() -> None:
    """Print the document, and put it into the README where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"of {', '.join(SUBJECTS)}; by default all")
    parser.add_argument("--write", action="store_true", help="put the tables into the README beside this file")
    parsed = parser.parse_args()
    if unknown := set(parsed.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    if parsed.write and parsed.subjects:
        parser.error("--write keeps a whole run; name no subject with it")
    document = write_document(parsed.subjects or SUBJECTS)
    sys.stdout.write(document + "\n")
    if parsed.write:
        put_into_readme(document)


if __name__ == "__main__":
    main()
