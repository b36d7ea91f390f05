"""What the files in checkpoints/ hold, and how they were made: python -m tests.io.make_checkpoints

They are of torch 2.13, which the tests do without.
"""

import collections
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

from tests.io import forge

FOLDER = Path(__file__).parent / "checkpoints"
FLOATS = np.array([0.0, -0.0, 1.5, -2.25, 65504, np.inf, np.nan, 2.0**-24], np.float32)
WHOLE = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")


def network():
    """The state of a convolution and a batch norm."""
    return {
        "0.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "0.bias": np.array([0.5, -0.5], np.float32),
        "1.weight": np.array([1, 2], np.float32),
        "1.bias": np.array([3, 4], np.float32),
        "1.running_mean": np.array([5, 6], np.float32),
        "1.running_var": np.array([7, 8], np.float32),
        "1.num_batches_tracked": np.array(9),
    }


def types():
    """One of every type that NumPy has too; the half-width ones as they arrive."""
    return {
        "float16": FLOATS,
        "bfloat16": np.array([0.0, -0.0, 1.5, -2.25, 2.0**127, np.inf, -np.inf, 2.0**-133], "f4"),
        "float32": FLOATS,
        "float64": FLOATS.astype(np.float64),
        "bool": np.array([True, False, True]),
        "complex64": np.array([1 + 2j, -3j], np.complex64),
        "complex128": np.array([1 + 2j, -3j]),
        **{name: np.array([1, 2, np.iinfo(name).max], name) for name in WHOLE},
    }


def views():
    """Tensors in the memory of others, by the name of what they are made from."""
    base = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    return {
        "base": base,
        "permuted": base.transpose(3, 0, 2, 1),
        "part": base[1, :, ::2, 3],
        "flat": base.reshape(-1)[7:],
        "tied": base,
        "scalar": base[1, 2, 3, 4],
        "empty": np.zeros((0, 3), np.float32),
        "channels_last": base.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2),
    }


def parameters():
    """Parameters, with and without an attribute, and a tensor with one."""
    return {name: np.arange(3, dtype=np.float32) + i for i, name in enumerate("abc")}


def training():
    """A checkpoint of a training run, as it is loaded."""
    return {
        "epoch": np.array(3),
        "best": np.array(0.75),
        "done": np.array(False),
        "seed": np.array(2**63, np.uint64),
        "mean": np.array(2.5),
        "model.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "optimizer.state.0.step": np.array(5, np.float32),
        "optimizer.state.0.momentum": np.ones((2, 3), np.float32),
        "optimizer.groups.0.lr": np.array(0.1),
        "optimizer.groups.0.betas.0": np.array(0.9),
        "optimizer.groups.0.betas.1": np.array(0.999),
        "optimizer.groups.0.params.0": np.array(0),
        "milestones.30": np.array(1),
        "size.0": np.array(2),
        "size.1": np.array(3),
        "set.0": np.array(4),
        "storage": np.array([1, 2], np.float32),
    }


def main():
    import torch

    def tensors(state):
        return {name: torch.from_numpy(array.copy()) for name, array in state.items()}

    def save(name, content):
        torch.save(content, FOLDER / f"{name}.pth")
        old = FOLDER / f"{name}_legacy.pth"
        torch.save(content, old, _use_new_zipfile_serialization=False)

    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 2), torch.nn.BatchNorm2d(2))
    model.load_state_dict(tensors(network()))
    save("network", model.state_dict())
    torch.save(model.state_dict(), FOLDER / "network_protocol4.pt", pickle_protocol=4)
    torch.save(model, FOLDER / "model.pth")
    save("types", {name: x.to(getattr(torch, name)) for name, x in tensors(types()).items()})

    base = torch.arange(120.0).reshape(2, 3, 4, 5)
    content = {
        "base": base,
        "permuted": base.permute(3, 0, 2, 1),
        "part": base[1, :, ::2, 3],
        "flat": base.flatten()[7:],
        "tied": base,
        "scalar": base[1, 2, 3, 4],
        "empty": torch.zeros(0, 3),
        "channels_last": base.contiguous(memory_format=torch.channels_last),
    }
    save("views", content)

    content = tensors(parameters())
    content = {name: torch.nn.Parameter(content[name]) for name in "ab"} | {"c": content["c"]}
    content["b"].note = content["c"].note = "an attribute"
    save("parameters", content)

    weight = torch.arange(6.0).reshape(2, 3)
    moments = {"step": torch.tensor(5.0), "momentum": torch.ones(2, 3)}
    group = {"lr": 0.1, "betas": (0.9, 0.999), "foreach": None, "params": [0]}
    content = {
        "epoch": 3,
        "best": 0.75,
        "done": False,
        "arch": "resnet18",
        "seed": 2**63,
        "mean": np.float64(2.5),
        "none": None,
        "bytes": b"\x00\xff",
        "model": collections.OrderedDict(weight=weight),
        "optimizer": {"state": {0: moments}, "groups": [group]},
        "milestones": collections.Counter([30]),
        "size": torch.Size([2, 3]),
        "set": {4},
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "storage": torch.tensor([1.0, 2.0]).storage(),
    }
    save("training", content)

    torch.serialization.set_crc32_options(False)
    torch.save(tensors(network()), FOLDER / "network_without_checksums.pth")

    make_tarred(FOLDER / "network_tarred.pth")
    for name, found in torch.load(FOLDER / "network_tarred.pth", weights_only=False).items():
        np.testing.assert_array_equal(found.detach().numpy(), network()[name])


def make_tarred(path):
    """Write what torch 0.1 did, which no torch of today can: all in one storage, by Python 2."""
    arrays = {name: array.astype(np.float32) for name, array in network().items()}
    arrays["1.num_batches_tracked"] = arrays["1.num_batches_tracked"].reshape(1)
    block = b"".join(array.tobytes() for array in arrays.values())
    kind = forge.symbol("torch.FloatStorage")
    storages = (
        pickle.dumps(1, 2)
        + forge.finished(forge.tuple_of(forge.plain(70), forge.plain("cpu"), kind))
        + struct.pack("<q", len(block) // 4)
        + block
        + pickle.dumps([(71, 70, 24, 2)], 2)  # the first bias is a storage of its own, within
    )
    tensors = pickle.dumps(len(arrays), 2)
    pairs = []
    first = 0
    for number, (name, array) in enumerate(arrays.items()):
        in_part = name == "0.bias"
        its_storage, its_first = (71, 0) if in_part else (70, first)
        kind = forge.symbol("torch.FloatTensor")
        entry = forge.tuple_of(forge.plain(number), forge.plain(its_storage), kind)
        strides = [step // 4 for step in array.strides]
        sizes = (*array.shape, *strides, its_first)
        tensors += forge.finished(entry)
        tensors += struct.pack(f"<ii{len(sizes)}q", array.ndim, 0, *sizes)
        first += array.size
        found = forge.plain(str(number)) + b"Q"
        if array.ndim == 4:  # a parameter
            hooks = forge.call("collections.OrderedDict")
            state = forge.tuple_of(found, b"N", hooks, b"\x88", b"\x89")
            found = forge.symbol("torch.nn.parameter.Parameter") + b")\x81" + state + b"b"
        pairs.append(forge.list_of(b"U" + bytes([len(name)]) + name.encode(), found))
    content = forge.finished(forge.call("collections.OrderedDict", forge.list_of(*pairs)))
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        members = {"pickle": content, "tensors": tensors, "storages": storages}
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size, info.mtime = len(data), 1484266140.5
            archive.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
