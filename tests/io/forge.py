"""Checkpoints of torch put together by hand, to say what torch would never say."""

import pickle
import struct
import zipfile

LEGACY = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {}))


# ---------------------------------------------------------------------------- pickles


def plain(value):
    """Opcodes that push a value of Python's own."""
    return pickle.dumps(value, 2)[2:-1]


def symbol(name):
    """Opcodes that push what has this dotted name."""
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def list_of(*items):
    return b"](" + b"".join(items) + b"e"


def dict_of(entries):
    return b"}(" + b"".join(plain(name) + value for name, value in entries.items()) + b"u"


def call(name, *arguments):
    return symbol(name) + tuple_of(*arguments) + b"R"


def storage(count, kind="torch.FloatStorage", key="0", *part):
    """Opcodes that push a storage; a part is of legacy checkpoints."""
    return tuple_of(plain("storage"), symbol(kind), *map(plain, (key, "cpu", count, *part))) + b"Q"


def tensor(its_storage, first, shape, strides, rebuild="torch._utils._rebuild_tensor_v2"):
    hooks = call("collections.OrderedDict")
    arguments = (*map(plain, (first, shape, strides)), plain(False), hooks)
    return call(rebuild, its_storage, *arguments)


def finished(opcodes):
    return b"\x80\2" + opcodes + b"."


# ---------------------------------------------------------------------------- files


def zipped(path, opcodes, *blocks, folder="archive", records=(), method=zipfile.ZIP_STORED):
    """Write a checkpoint as torch does since 1.6."""
    members = {"data.pkl": finished(opcodes), **dict(records)}
    members |= {f"data/{key}": block for key, block in enumerate(blocks)}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}"), content, method)


def legacy(path, opcodes, *blocks, item=4):
    """Write a checkpoint as torch did before 1.6."""
    keys = pickle.dumps([str(key) for key in range(len(blocks))], 2)
    written = [struct.pack("<q", len(block) // item) + block for block in blocks]
    path.write_bytes(LEGACY + finished(opcodes) + keys + b"".join(written))
