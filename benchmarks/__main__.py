"""Every subject, or those named, as one Markdown document: ``python -m benchmarks [--write] [subject ...]``."""

from collections.abc import Sequence

from benchmarks.environment import describe_machine, environments, measure_in
from benchmarks.report import build_parser, publish, write_table

SUBJECTS = ("gradients", "jacobians", "service", "reading", "bulk", "neighbours")
"""Modules of this package with `rows`, in the order of the table."""

OF_PRODUCTS = ("gradients", "jacobians")
"""Those whose time depends on OpenBLAS's kernels."""


def write_document(subjects: Sequence[str]) -> str:
    """Measure subjects in every environment that matters to them, and write the document."""
    parts = [f"Measured on {describe_machine()}. One thread each."]
    for number, (title, environment) in enumerate(environments().items()):
        chosen = [subject for subject in subjects if not number or subject in OF_PRODUCTS]
        found = [measure_in(environment, subject) for subject in chosen]
        facts = {name: fact for _, loaded in found for name, fact in loaded.items()}
        libraries = "; ".join(f"{name} ({fact})" for name, fact in facts.items())
        if found:
            parts += [f"### {title}", f"{libraries}.", write_table([row for rows, _ in found for row in rows])]
    return "\n\n".join(parts)


def main() -> None:
    """Print the document, and put it into the README where asked."""
    parser = build_parser("benchmarks", __doc__)
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"of {', '.join(SUBJECTS)}; by default all")
    parsed = parser.parse_args()
    if unknown := set(parsed.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    if parsed.write and parsed.subjects:
        parser.error("--write keeps a whole run; name no subject with it")
    publish("benchmarks", write_document(parsed.subjects or SUBJECTS), write=parsed.write)


if __name__ == "__main__":
    main()
