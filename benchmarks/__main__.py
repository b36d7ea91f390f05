"""python -m benchmarks: measure, print a table, keep the figures and a chart."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import cnnfast
from benchmarks import kernels, report
from benchmarks.peers import installed
from cnnfast.cli.race import UnequalError, table

ROOT = Path(__file__).parents[1]


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--quick", action="store_true", help="a choice of layers, within a minute")
    common.add_argument("--threads", type=positive, help="for everyone; default: cnnfast's own")
    common.add_argument("--only", type=regex, default="", metavar="REGEX", help='e.g. "im2col|vgg"')
    common.add_argument("--out", type=Path, default=report.RESULTS, metavar="DIR")
    common.add_argument(
        "--document", action="store_true", help=f"write {report.PAGE.relative_to(ROOT)} as well"
    )
    whole = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    commands.add_parser("kernels", parents=[common], help="every kernel on every layer (default)")
    return whole


def positive(text: str) -> int:
    """Read a number of threads."""
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def regex(text: str) -> str:
    """Check a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["kernels", *arguments]
    options = parser().parse_args(arguments)
    threads = options.threads or cnnfast.get_num_threads()
    pairs = kernels.plan(kernels.layers(options.quick), options.only)
    if not pairs:
        print(f"--only {options.only!r} matches nothing", file=sys.stderr)
        return 2
    peers, missing = installed(threads)
    with kernels.same_threads(threads):
        facts = report.facts(threads, peers)
        print("\n".join([report.heading(facts), *missing, ""]))
        try:
            results = kernels.run(pairs, peers, options.quick)
        except UnequalError as error:
            print(f"\nerror: {error}", file=sys.stderr)
            return 1
    print(table(results))
    print("\n".join(["", *report.shortfalls(results)]))
    name = f"{options.command}-quick" if options.quick else options.command
    kept = report.save(options.out, name, facts, results)
    if options.document:
        report.document(
            report.PAGE,
            "python -m benchmarks --document",
            facts,
            results,
            [p.resolve() for p in kept],
        )
        kept.append(report.PAGE)
    for path in kept:
        print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
