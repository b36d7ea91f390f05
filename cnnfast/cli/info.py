"""``cnnfast info``."""

from __future__ import annotations

import argparse

from cnnfast import show_config


def run(options: argparse.Namespace) -> None:
    show_config()
