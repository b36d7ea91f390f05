"""Pickles read as data: an interpreter of the opcodes that plain containers need.

`pickle.Unpickler` imports what a file names, calls it and sets attributes of what it got. Here a
name is looked up in a table, and one that is not in it ends the reading; what is called is out of
that table; and an attribute is never set.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: What is in the place of a name: called if the pickle calls it, otherwise a value.
Symbols = Mapping[str, Any]


def load(stream: Any, symbols: Symbols, find: Callable[[Any], object] | None = None) -> object:
    """Interpret one pickle, up to where it ends.

    Parameters
    ----------
    stream : with methods read and readline
        It takes no more memory than the file has bytes, whatever it is asked for. Nothing behind
        the pickle is read.
    symbols : mapping of str to object
        By dotted name, all that the pickle may ask for. Whatever is callable may be called. What
        it gives may have a method ``__setstate__``.
    find : callable, optional
        Gives the object for a persistent id.

    Returns
    -------
    object
        None, a bool, number, str or bytes, a list (also for a set), tuple or dict of such, or
        what `symbols` and `find` gave.

    Raises
    ------
    ValueError
        The pickle is damaged, or asks for anything else.
    """
    machine = _Machine(symbols, find)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.execute(opcode.name, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the pickle is damaged: {type(error).__name__}: {error}") from error
    raise AssertionError("genops raises where a pickle has no end")


class _Machine:
    def __init__(self, symbols: Symbols, find: Callable[[Any], object] | None) -> None:
        self.symbols = symbols
        self.find = find
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}

    def execute(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _IGNORED:
            raise ValueError(f"the pickle has the opcode {name}; {ONLY}")

    # ---- the stack

    def pop_to_mark(self) -> list[Any]:
        height = self.marks.pop()
        items = self.stack[height:]
        del self.stack[height:]
        return items

    def take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("nothing is on the stack")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    # ---- containers

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError(f"appends to a {type(target).__name__}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise TypeError(f"sets an item of a {type(target).__name__}")
        target.update(as_dict(zip(items[::2], items[1::2], strict=True)))

    # ---- names and calls

    def find_symbol(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError("a name is no text")
        symbol = f"{module}.{name}"
        if symbol not in self.symbols:
            shown = repr(symbol)[1:-1]
            raise ValueError(f"the pickle asks for {shown[:200]}; {ONLY}")
        self.stack.append(self.symbols[symbol])

    def call(self) -> None:
        function, arguments = self.take(2)
        if not callable(function) or type(arguments) is not tuple:
            raise TypeError(f"calls a {type(function).__name__}")
        self.stack.append(function(*arguments))

    def instantiate(self, module: str, name: str) -> None:
        arguments = tuple(self.pop_to_mark())
        self.find_symbol(module, name)
        self.stack.append(arguments)
        self.call()

    def build(self) -> None:
        (state,) = self.take(1)
        target = self.stack[-1]
        if hasattr(target, "__setstate__"):
            target.__setstate__(state)
        elif type(target) is not dict:
            raise TypeError(f"sets the state of a {type(target).__name__}")
        # A dict's state are attributes, like `_metadata` of a state_dict: no entries of it.

    def find_persistent(self) -> None:
        (identifier,) = self.take(1)
        if self.find is None:
            raise ValueError("the pickle refers to data outside of it")
        self.stack.append(self.find(identifier))

    # ---- the memo

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])


def as_dict(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Give a dict with keys that can become a part of a name (and are quick to hash)."""
    entries = {}
    for key, value in pairs:
        if type(key) not in (str, int):
            raise ValueError(f"the pickle has a dict with a key of type {type(key).__name__}")
        entries[key] = value
    return entries


ONLY = (
    "only tensors, numbers and plain containers are read (of a model, save model.state_dict() in "
    "place of the model)"
)

# Opcodes by what they do; `pickletools` describes each.
_PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_IGNORED = {"PROTO", "FRAME"}
_ACTIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.take(1),
    "POP_MARK": lambda m, _: m.pop_to_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "TUPLE1": lambda m, _: m.stack.append(tuple(m.take(1))),
    "TUPLE2": lambda m, _: m.stack.append(tuple(m.take(2))),
    "TUPLE3": lambda m, _: m.stack.append(tuple(m.take(3))),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.pop_to_mark())),
    "APPEND": lambda m, _: m.extend(m.take(1)),
    "APPENDS": lambda m, _: m.extend(m.pop_to_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.pop_to_mark()),
    "SETITEM": lambda m, _: m.set_items(m.take(2)),
    "SETITEMS": lambda m, _: m.set_items(m.pop_to_mark()),
    "GLOBAL": lambda m, argument: m.find_symbol(*argument.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.find_symbol(*m.take(2)),
    "INST": lambda m, argument: m.instantiate(*argument.split(" ", 1)),
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.find_persistent(),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
}
