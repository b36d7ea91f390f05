"""``cnnfast summary``."""

from __future__ import annotations

import argparse
import json

from cnnfast.analysis import summary
from cnnfast.cli import CommandError
from cnnfast.cli.networks import network


def run(options: argparse.Namespace) -> None:
    model = network(options.model)
    try:
        ledger = summary(model, options.input)
    except (ValueError, TypeError) as error:
        shape = ",".join(map(str, options.input))
        raise CommandError(f"{options.model} takes no {shape}: {error}") from error
    print(json.dumps(ledger.to_dict(), indent=1) if options.json else ledger)
