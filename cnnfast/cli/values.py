"""What arguments may be, as functions that read them from text."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def integer(least: int, most: float = math.inf) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            bound = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {bound}, got {text}")
        return value

    return integer


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be greater than 0 and finite, got {text}")
    return value


def number(least: float, below: float = math.inf) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value < below:
            bound = "finite" if below == math.inf else f"less than {below:g}"
            raise argparse.ArgumentTypeError(f"must be at least {least:g} and {bound}, got {text}")
        return value

    return number


def one_of(*words: str) -> Callable[[str], str]:
    def word(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(words)}, got {text}")
        return text

    return word


def numbers(text: str) -> tuple[float, ...]:
    return tuple(map(number(-math.inf), text.strip("[]").split(",")))


def shape(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(integer(1), text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be like 3,224,224, got {text}") from None
