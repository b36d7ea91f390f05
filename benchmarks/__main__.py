"""python -m benchmarks: measure, print a table, keep the figures and a chart."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cnnfast
from benchmarks import contests, distributed, kernels, layers, page, report, scores, sliding
from benchmarks.networks import competitors, learning
from benchmarks.networks import report as networks_report
from benchmarks.networks import run as networks_run
from benchmarks.peers import Torch, installed
from cnnfast.cli.race import UnequalError, table, times

RESULTS = Path(__file__).with_name("results")
PROCESSES, SECONDS = 5, 0.2
# For cnnfast and for PyTorch's own kernels, oneDNN's among them.
AVX2 = {
    "CNNFAST_ISA": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    threads = argparse.ArgumentParser(add_help=False)
    threads.add_argument("--threads", type=positive, help="for everyone; default: cnnfast's own")
    document = argparse.ArgumentParser(add_help=False, parents=[threads])
    document.add_argument("--document", action="store_true", help="write the page of docs/ as well")
    quick = argparse.ArgumentParser(add_help=False, parents=[document])
    quick.add_argument("--quick", action="store_true", help="a choice, within minutes")
    common = argparse.ArgumentParser(add_help=False, parents=[quick])
    common.add_argument("--only", type=regex, default="", metavar="REGEX", help='e.g. "im2col|vgg"')
    common.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    whole = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "kernels", parents=[common], help="every kernel against loops and libraries (default)"
    ).set_defaults(run=run_kernels)
    commands.add_parser(
        "layers", parents=[common], help="convolutions and other operations against PyTorch"
    ).set_defaults(run=run_layers)
    commands.add_parser(
        "networks", parents=[common], help="whole networks, inference and training, against all"
    ).set_defaults(run=run_networks)
    learn = commands.add_parser(
        "learning", parents=[document], help="networks that learn digits, beside PyTorch"
    )
    learn.add_argument("--data", type=Path, required=True, metavar="DIR", help="MNIST's files")
    learn.add_argument("--seeds", type=positive, default=3)
    learn.add_argument("--only", type=regex, default="", metavar="REGEX", help="of their names")
    learn.set_defaults(run=run_learning)
    commands.add_parser(
        "sliding", parents=[threads], help="VGG-16 over a larger image against its crops"
    ).set_defaults(run=run_sliding)
    commands.add_parser(
        "distributed", parents=[quick], help="ranks of one thread against one process of several"
    ).set_defaults(run=run_distributed)
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
    options.threads = options.threads or cnnfast.get_num_threads()
    try:
        return options.run(options)
    except UnequalError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1


def run_kernels(options: argparse.Namespace) -> int:
    """Race every kernel against naive loops, NumPy and other libraries."""
    pairs = kernels.plan(kernels.layers(options.quick), options.only)
    if not pairs:
        return nothing_matches(options)
    peers, missing = installed(options.threads)
    with kernels.same_threads(options.threads):
        facts = report.facts(options.threads, peers)
        print("\n".join([report.heading(facts), *missing, ""]))
        results = kernels.run(pairs, peers, options.quick)
    print(table(results))
    print("\n".join(["", *report.shortfalls(results)]))
    keep(options, facts, results, report)
    return 0


def run_layers(options: argparse.Namespace) -> int:
    """Hold the contests with PyTorch, in several processes."""
    chosen = contests.matching(layers.contests(), options.only)
    if not chosen:
        return nothing_matches(options)
    try:
        facts = report.facts(options.threads, [Torch(options.threads)])
    except ImportError as error:
        print(f"PyTorch is the peer here, and missing: {error}", file=sys.stderr)
        return 2
    print(report.heading(facts), "\n")
    count, seconds = (1, SECONDS / 4) if options.quick else (PROCESSES, SECONDS)
    how = (count, options.threads, seconds)
    results = contests.in_processes(chosen, ["benchmarks.layers", options.only], *how)
    forward = contests.matching(chosen, "^forward, [0-9]")
    if forward and not options.only:
        command = ["benchmarks.layers", "^forward, [0-9]"]
        slower = contests.in_processes(forward, command, *how, AVX2)
        results += [result._replace(group="forward, AVX2") for result in slower]
    for result in results:
        print(f"{result.group}, {result.name}: {times(result.ratio)}")
    print("\n".join(["", *scores.aims_table(results)]))
    keep(options, facts, results, scores)
    return 0


def run_networks(options: argparse.Namespace) -> int:
    """Measure whole networks: contests, cold start, memory, linearity."""
    kinds = (competitors.Cnnfast, *competitors.PEERS)
    found, missing = competitors.installed(kinds, options.threads)
    facts = report.facts(options.threads, found[1:])
    print("\n".join([report.heading(facts), *missing, ""]))
    results = networks_run.run(found, options.only, options.quick, options.threads)
    if not any(results):
        return nothing_matches(options)
    print("\n".join(networks_report.tables(results)))
    keep(options, facts, results, networks_report)
    return 0


def run_learning(options: argparse.Namespace) -> int:
    """Let networks learn digits in cnnfast and in PyTorch."""
    facts = report.facts(options.threads, [Torch(options.threads)])
    print(report.heading(facts), "\n")
    runs = []
    for run in learning.measure(options.data, options.seeds, options.threads, options.only):
        runs.append(run)
        print(learning.line(run), flush=True)
    print("\n".join(["", *learning.table(runs)]))
    if options.document:
        page.write_section("learning", learning.section(facts, runs))
    return 0


def run_sliding(options: argparse.Namespace) -> int:
    """Race a network that slides over an image against its crops."""
    print(report.heading(report.facts(options.threads, [])), "\n")
    print("\n".join(sliding.lines(sliding.measure(options.threads))))
    return 0


def run_distributed(options: argparse.Namespace) -> int:
    """Compare ranks with threads; write docs/scaling.md if asked to."""
    facts, ranks = report.facts(options.threads, []), options.threads
    print(report.heading(facts), "\n")
    comparison = distributed.measure(ranks, options.quick)
    print("\n".join(distributed.lines(comparison, ranks)))
    if options.document:
        seconds = distributed.seconds_an_image(ranks, options.quick)
        distributed.document(facts, comparison, ranks, seconds)
        print(f"written: {distributed.PAGE}")
    return 0


def nothing_matches(options: argparse.Namespace) -> int:
    """Say so; return the exit status."""
    print(f"--only {options.only!r} matches nothing", file=sys.stderr)
    return 2


def keep(
    options: argparse.Namespace, facts: dict[str, str], results: Sequence[Any], module: Any
) -> None:
    """Save figures and chart by way of a module that knows them; write the page if asked to."""
    name = f"{options.command}-quick" if options.quick else options.command
    kept = module.save(options.out, name, facts, results)
    if options.document:
        beside = [os.path.relpath(file.resolve(), page.PAGE.parent) for file in kept]
        command = f"python -m benchmarks {options.command} --document"
        page.write_section(options.command, module.section(command, facts, results, beside))
        kept.append(page.PAGE)
    for path in kept:
        print(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
