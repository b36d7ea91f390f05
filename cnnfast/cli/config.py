"""Settings in files, and which of several sources counts."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnnfast.cli import CommandError
from cnnfast.cli.settings import PARSE, Settings
from cnnfast.io.atomic import replacing

NAME = "config.toml"


def resolve(options: argparse.Namespace) -> Settings:
    """Give the settings of a command: as typed, else of ``--config``, else of the resumed run."""
    typed = {name: value for name, value in vars(options).items() if name in PARSE}
    saved = options.out / NAME
    earlier = read(saved) if options.resume and saved.exists() else {}
    given = read(options.config) if options.config is not None else {}
    return Settings(**(earlier | given | typed))


def read(path: Path) -> dict[str, Any]:
    """Read the settings of a TOML file.

    Raises
    ------
    CommandError
        It is none, or has a key that is no setting, or a value that a setting cannot have.
    """
    try:
        import tomllib
    except ImportError as error:
        raise CommandError(f"{path}: settings in files need Python 3.11 or newer") from error
    try:
        values = tomllib.loads(path.read_text())
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error
    return {key: _checked(path, key, value) for key, value in values.items()}


def _checked(path: Path, key: str, value: Any) -> Any:
    if key not in PARSE:
        (nearest,) = difflib.get_close_matches(key, PARSE, n=1, cutoff=0)
        raise CommandError(f"{path}: there is no setting {key!r}, the nearest one is {nearest!r}")
    parse = PARSE[key]
    if (parse is bool) != isinstance(value, bool):
        expected = "true or false" if parse is bool else "a number or text"
        raise CommandError(f"{path}: {key} must be {expected}, got {json.dumps(value)}")
    if parse is bool:
        return value
    try:
        return parse(str(value))
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise CommandError(f"{path}: {key}: {error}") from error


def write(settings: Settings, path: Path) -> None:
    """Write the settings that have a value, for `read`."""
    lines = (f"{name} = {_toml(value)}\n" for name, value in known(asdict(settings)).items())
    with replacing(path) as file:
        file.write("".join(lines).encode())


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has no value."""
    return {name: value for name, value in values.items() if value is not None}


def _toml(value: Any) -> str:
    """Write a value of ours as TOML, of which JSON's strings, numbers and lists are part."""
    return json.dumps(value, ensure_ascii=False)
