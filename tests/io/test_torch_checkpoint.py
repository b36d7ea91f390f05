"""Checkpoints that torch wrote, read without it, and what is refused; see make_checkpoints.py."""

import pickle

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.io import load_weights, save_weights
from tests.helpers import run_python
from tests.io import forge, make_checkpoints
from tests.io.make_checkpoints import FOLDER
from tests.io.test_npz import assert_equal, refused

FOUR = np.arange(4, dtype=np.float32).tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


@pytest.fixture(params=[forge.zipped, forge.legacy])
def write(request, path):
    """Write a checkpoint in either format, and give its path."""

    def write(opcodes, *blocks, **options):
        request.param(path, opcodes, *blocks, **options)
        return path

    return write


# ---------------------------------------------------------------------------- written by torch


@pytest.mark.parametrize("form", [".pth", "_legacy.pth"])
@pytest.mark.parametrize("content", ["network", "types", "views", "parameters", "training"])
def test_what_torch_writes_is_read(content, form):
    got = load_weights(FOLDER / f"{content}{form}")
    assert_equal(got, getattr(make_checkpoints, content)())
    assert all(array.dtype.isnative and array.flags.writeable for array in got.values())


@pytest.mark.parametrize("form", ["_protocol4.pt", "_without_checksums.pth"])
def test_other_ways_to_write(form):
    assert_equal(load_weights(FOLDER / f"network{form}"), make_checkpoints.network())


def test_the_oldest_format():
    got = load_weights(FOLDER / "network_tarred.pth")
    for name, array in make_checkpoints.network().items():
        np.testing.assert_array_equal(got[name].reshape(array.shape), array)
    assert list(got) == list(make_checkpoints.network())


@pytest.mark.parametrize("form", [".pth", "_legacy.pth"])
def test_tensors_lie_in_memory_as_they_did(form):
    got = load_weights(FOLDER / f"views{form}")
    for name, array in make_checkpoints.views().items():
        assert got[name].strides == array.strides
        if name not in ("empty", "channels_last"):
            assert np.shares_memory(got[name], got["base"])


def test_torch_is_not_needed():
    script = (
        "import sys; sys.modules['torch'] = None; import cnnfast\n"
        f"print(len(cnnfast.load_weights({str(FOLDER / 'network.pth')!r})))\n"
        "print([name for name in sys.modules if name.startswith('torch')])"
    )
    run = run_python(script)
    assert (run.stdout, run.stderr) == ("7\n['torch']\n", "")


def test_a_network_takes_the_weights():
    model = nn.Sequential(nn.Conv2d(3, 2, 2), nn.BatchNorm2d(2))
    model.load_state_dict(load_weights(FOLDER / "network.pth"))
    assert_equal(model.state_dict(), make_checkpoints.network())


def test_into_other_formats(tmp_path):
    state = load_weights(FOLDER / "views.pth")
    for name in ("weights.npz", "weights.safetensors"):
        save_weights(state, tmp_path / name)
        got = load_weights(tmp_path / name)
        assert got.keys() == state.keys()
        for entry, array in make_checkpoints.views().items():
            np.testing.assert_array_equal(got[entry], array)


def test_checkpoints_are_not_written(path):
    with pytest.raises(ValueError, match=r"must end in \.npz or \.safetensors, got .*\.pth"):
        save_weights({}, path)


# ---------------------------------------------------------------------------- by hand


def test_a_tensor(write):
    path = write(
        forge.dict_of({"a": forge.tensor(forge.storage(4), 1, (3, 1), (1, 1 << 62))}), FOUR
    )
    assert_equal(load_weights(path), {"a": np.array([[1], [2], [3]], np.float32)})


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("Float", np.array([1.5, -2], ">f4").tobytes()),
        ("Half", np.array([1.5, -2], ">f2").tobytes()),
        ("BFloat16", b"\x3f\xc0\xc0\x00"),
    ],
)
def test_big_endian_numbers(path, kind, block):
    storage = forge.storage(2, f"torch.{kind}Storage")
    opcodes = forge.dict_of({"a": forge.tensor(storage, 0, (2,), (1,))})
    forge.zipped(path, opcodes, block, records=[("byteorder", b"big")])
    assert_equal(load_weights(path), {"a": np.array([1.5, -2], np.float32)})


@pytest.mark.parametrize("folder", ["archive", "a name with dots.tar", "ä"])
def test_any_folder_in_the_archive(path, folder):
    opcodes = forge.dict_of({"a": forge.tensor(forge.storage(4), 0, (4,), (1,))})
    forge.zipped(path, opcodes, FOUR, folder=folder)
    assert load_weights(path)["a"].tolist() == [0, 1, 2, 3]


def test_the_first_rebuilder(write):
    storage = forge.storage(4, "torch.cuda.FloatStorage")
    arguments = map(forge.plain, (2, (2,), (1,)))
    tensor = forge.call("torch._utils._rebuild_tensor", storage, *arguments)
    parameter = forge.call("torch.nn.parameter.Parameter", tensor)
    state = forge.tuple_of(b"\x88", b"\x89", forge.call("collections.OrderedDict"))
    path = write(forge.dict_of({"a": tensor, "b": parameter + state + b"b"}), FOUR)
    assert {name: x.tolist() for name, x in load_weights(path).items()} == {
        "a": [2, 3],
        "b": [2, 3],
    }


def test_a_part_of_a_storage(path):
    part = forge.storage(4, "torch.FloatStorage", "0", ("1", 2, 2))
    forge.legacy(path, forge.dict_of({"a": forge.tensor(part, 1, (1,), (1,))}), FOUR)
    assert load_weights(path)["a"].tolist() == [3]
    forge.legacy(path, forge.dict_of({"a": forge.tensor(part, 1, (2,), (1,))}), FOUR)
    refused(path, "does not fit into its storage of 2 elements")


def test_a_bool_is_0_or_1(path):
    storage = forge.storage(4, "torch.BoolStorage")
    forge.zipped(path, forge.dict_of({"a": forge.tensor(storage, 0, (4,), (1,))}), b"\0\1\2\xff")
    assert load_weights(path)["a"].tobytes() == b"\0\1\1\1"


def test_one_storage_as_two_types(path):
    kinds = {"a": "torch.FloatStorage", "b": "torch.HalfStorage", "c": "torch.ByteStorage"}
    tensors = {
        name: forge.tensor(forge.storage(2, kind), 0, (2,), (1,)) for name, kind in kinds.items()
    }
    block = np.array([1.5, -2], np.float32)
    forge.zipped(path, forge.dict_of(tensors), block.tobytes())
    want = {"a": block, "b": block.view(np.float16)[:2].astype("f4"), "c": block.view("u1")[:2]}
    assert_equal(load_weights(path), want)


def test_what_is_no_array_is_left_out(write):
    values = {"a": "text", "b": None, "c": [], "d": b"bytes", "e": (1, [2.5], {}), "f": {"g": True}}
    want = {"e.0": np.array(1), "e.1.0": np.array(2.5), "f.g": np.array(True)}
    path = write(forge.plain(values))
    assert_equal(load_weights(path), want)


def test_a_list_gives_its_indices(write):
    opcodes = forge.list_of(forge.plain(7), forge.dict_of({"a": forge.plain(8)}))
    assert_equal(load_weights(write(opcodes)), {"0": np.array(7), "1.a": np.array(8)})


def test_integers(write):
    numbers = [-(2**63), 2**63 - 1, 2**64 - 1]
    got = load_weights(write(forge.plain(numbers)))
    assert [int(x) for x in got.values()] == numbers
    refused(write(forge.plain([2**64])), "an integer of 65 bits")


# ---------------------------------------------------------------------------- refused


def test_a_whole_model_is_refused():
    refused(
        FOLDER / "model.pth",
        "the pickle asks for torch.nn.modules.container.Sequential; only tensors",
        "save model.state_dict() in place of the model",
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (forge.plain(3), "no dict or list"),
        (forge.tensor(forge.storage(4), 0, (4,), (1,)), "no dict or list"),
        (forge.list_of(forge.symbol("torch.nn.parameter.Parameter") + b")\x81"), "a NoneType in"),
        (forge.list_of(forge.call("torch.FloatStorage")), "calls a Kind"),
        (forge.list_of(forge.call("torch._utils._rebuild_tensor_v2")), "the pickle is damaged"),
        (forge.list_of(forge.call("collections.OrderedDict", forge.plain(3))), "damaged"),
        (forge.list_of(forge.call("numpy.dtype", forge.plain("O8"))), "an array of NumPy"),
        (forge.tuple_of(forge.plain("module"), forge.plain(1)) + b"Q", "damaged"),
        (forge.storage(-1), "a storage that makes no sense"),
        (b"]}N0e", "damaged"),
        (b"a", "damaged"),
        (b"(1", "damaged"),
        (b"\xff", "unknown"),
        (b"\x8a\xff\1", "long1"),
    ],
)
def test_pickles_that_make_no_sense(path, value, words):
    forge.zipped(path, value, FOUR)
    refused(path, words)


def test_a_conjugate_by_flag(write):
    arguments = map(forge.plain, (0, (1,), (1,), False, None, {"conj": True}))
    storage = forge.storage(1, "torch.ComplexFloatStorage")
    tensor = forge.call("torch._utils._rebuild_tensor_v2", storage, *arguments)
    refused(write(forge.list_of(tensor), FOUR), "conjugate or negative only by a flag")


def test_a_pickle_of_something_else(path):
    path.write_bytes(pickle.dumps({"a": 1}, 2))
    refused(path, "a pickle, but no checkpoint of torch")
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1000, 2))
    refused(path, "another version than 1001")


def test_long_names_do_not_make_long_messages(path):
    name = "a" * 10_000
    entries = {f"{name}.b": forge.plain(1), name: forge.plain({"b": 2})}
    forge.zipped(path, forge.dict_of(entries))
    with pytest.raises(ValueError, match="two entries are called") as caught:
        load_weights(path)
    assert len(str(caught.value)) < 1000


def test_a_checksum_that_is_wrong(path):
    forge.zipped(path, forge.dict_of({"a": forge.tensor(forge.storage(4), 0, (4,), (1,))}), FOUR)
    content = bytearray(path.read_bytes())
    content[content.index(FOUR)] ^= 1
    path.write_bytes(content)
    refused(path, "record 'data/0'", "CRC")


@pytest.mark.parametrize("name", ["network.pth", "network_legacy.pth", "network_tarred.pth"])
def test_truncation(path, name):
    """Each is refused; but a tar archive ends with blocks of zeros, which may be missing."""
    content = (FOLDER / name).read_bytes()
    end = len(content.rstrip(b"\0")) if "tarred" in name else len(content)
    for length in range(0, end, end // 40):
        path.write_bytes(content[:length])
        refused(path)
