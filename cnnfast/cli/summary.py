"""``cnnfast summary``."""

from __future__ import annotations

import argparse
import json

from cnnfast.analysis import advise, summary
from cnnfast.cli import CommandError
from cnnfast.cli.networks import is_pattern, network
from cnnfast.models import from_pattern
from cnnfast.nn import Module


def run(options: argparse.Namespace) -> None:
    model = _network(options.model, options.input)
    try:
        ledger = summary(model, options.input)
        advice = advise(model, options.input) if options.advise else None
    except (ValueError, TypeError) as error:
        shape = ",".join(map(str, options.input))
        raise CommandError(f"{options.model} takes no {shape}: {error}") from error
    if options.json:
        extra = {"advice": advice.to_dict()} if advice else {}
        print(json.dumps(ledger.to_dict() | extra, indent=1))
    else:
        print(*filter(None, (ledger, advice)), sep="\n\n")


def _network(name: str, input_shape: tuple[int, ...]) -> Module:
    if not is_pattern(name):
        return network(name)
    try:
        return from_pattern(name, input_shape)
    except ValueError as error:
        raise CommandError(str(error)) from error
