"""The little language of layer patterns: from the text to the list of its layers.

::

    pattern  = "INPUT" "->" chain
    chain    = item { "->" item }
    item     = ( layer [ "?" ] | "[" chain "]" ) [ "*" number ]
    layer    = "CONV" | "RELU" | "POOL" | "FC" | "BN" | "DROPOUT"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

LAYERS = ("CONV", "RELU", "POOL", "FC", "BN", "DROPOUT")
_TOKEN = re.compile(r"->|\w+|\S")


class Token(NamedTuple):
    """A word, number or mark, and where in the pattern it begins. The end is one without text."""

    text: str
    start: int

    def __str__(self) -> str:
        return repr(self.text) if self.text else "the end of the pattern"


class Layer(NamedTuple):
    """A layer of a pattern; one in brackets with a star comes several times."""

    kind: str
    optional: bool
    token: Token


def fail(pattern: str, token: Token, problem: str) -> NoReturn:
    """Raise an error that quotes the pattern and points at a token."""
    quoted = re.sub(r"\s", " ", pattern)
    raise ValueError(f"from_pattern: {problem}\n  {quoted}\n  {' ' * token.start}^")


def parse(pattern: str) -> list[Layer]:
    """Give all layers behind the input, repetitions written out.

    Raises
    ------
    ValueError
        The pattern is none.

    Examples
    --------
    >>> [layer.kind for layer in parse("INPUT -> [CONV -> RELU]*2 -> FC")]
    ['CONV', 'RELU', 'CONV', 'RELU', 'FC']
    """
    return _Parser(pattern).pattern()


def _tokens(pattern: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(pattern):
        yield Token(found[0], found.start())
    yield Token("", len(pattern.rstrip()))


class _Parser:
    """By recursive descent: a method for each rule, which takes the tokens that belong to it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))[::-1]  # the next one is the last

    def pattern(self) -> list[Layer]:
        self.expect("INPUT", "a pattern begins with 'INPUT'")
        self.expect("->", "expected '->'")
        layers = self.chain()
        self.expect("", "expected '->' or the end of the pattern")
        return layers

    def chain(self) -> list[Layer]:
        layers = self.item()
        while self.take("->"):
            layers += self.item()
        return layers

    def item(self) -> list[Layer]:
        if self.take("["):
            layers = self.chain()
            self.expect("]", "expected '->' or ']'")
        else:
            layers = [self.layer()]
        return layers * self.number() if self.take("*") else layers

    def layer(self) -> Layer:
        token = self.next
        if token.text not in LAYERS:
            self.fail(f"expected '[' or one of {', '.join(LAYERS)}")
        self.tokens.pop()
        mark = self.next
        if self.take("?"):
            if token.text != "POOL":
                fail(self.text, mark, f"only POOL can have a '?', not {token.text}")
            return Layer(token.text, True, token)
        return Layer(token.text, False, token)

    def number(self) -> int:
        if not self.next.text.isdecimal():
            self.fail("expected how many times, a whole number")
        return int(self.tokens.pop().text)

    # ------------------------------------------------------------------ tokens

    @property
    def next(self) -> Token:
        return self.tokens[-1]

    def take(self, text: str) -> bool:
        """Go past the next token if it is this."""
        if self.next.text == text:
            self.tokens.pop()
            return True
        return False

    def expect(self, text: str, otherwise: str) -> None:
        if not self.take(text):
            self.fail(otherwise)

    def fail(self, expected: str) -> NoReturn:
        fail(self.text, self.next, f"{expected}, got {self.next}")
