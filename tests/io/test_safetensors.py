"""Weights to .safetensors and back; files that lie are in test_hostile.py."""

import json
import os
import struct
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnfast import models
from cnnfast.io import load_weights, save_weights
from tests.io import zoo
from tests.io.test_npz import STATE, assert_equal, widened

BFLOAT16 = np.array([0x0000, 0x8000, 0x3FC0, 0xFF80, 0x7FC1, 0x0001], "<u2")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


numbers = st.sampled_from("?bhiqBHIQefdF").map(np.dtype)
states = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    numbers.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))),
    max_size=4,
)


@settings(max_examples=50, deadline=None)  # each waits for the disk
@given(state=states)
def test_round_trip(tmp_path_factory, state):
    path = tmp_path_factory.getbasetemp() / "round_trip.safetensors"
    save_weights(state, path)
    got = load_weights(path)
    assert_equal({name: got[name] for name in state}, {n: widened(x) for n, x in state.items()})
    assert len(got) == len(state)
    assert all(array.flags.writeable for array in got.values())


SMALL = {"lenet5", "googlenet", "squeezenet1_1", "mobilenet_v2", "resnet18", "cifar_resnet20"}


@pytest.mark.parametrize(
    "name",
    [
        name if name in SMALL else pytest.param(name, marks=pytest.mark.slow)
        for name in models.__all__
        if name != "from_pattern"
    ],
)
def test_every_network_round_trips(path, name):
    model = zoo.network(name, np.random.default_rng(0))
    state = model.state_dict()
    save_weights(state, path)
    for parameter in model.parameters():
        parameter.assign(np.zeros(parameter.shape, parameter.dtype))
    model.load_state_dict(load_weights(path))
    assert_equal(model.state_dict(), state)


def test_what_is_saved_is_read_by_the_library(path):
    save_weights(STATE, path)
    found = safetensors.numpy.load_file(path)
    assert_equal({name: found[name] for name in STATE}, STATE)


def test_memory_and_byte_order(path):
    """The library writes memory as it lies: safetensors#825."""
    base = np.arange(24.0).reshape(2, 3, 4)
    state = {
        "fortran": np.asfortranarray(base),
        "strided": base[::-1, :, ::3],
        "broadcast": np.broadcast_to(np.float32(3), (2, 2)),
        "big": np.arange(3, dtype=">f4"),
    }
    save_weights(state, path)
    got = load_weights(path)
    for name, array in state.items():
        np.testing.assert_array_equal(got[name], array)
        assert got[name].dtype == array.dtype.newbyteorder("=")


def test_bfloat16(path):
    header = {"a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + BFLOAT16.tobytes())
    (array,) = load_weights(path).values()
    assert array.dtype == np.float32
    # The upper half of a float32 is what a bfloat16 is.
    np.testing.assert_array_equal(array.view(np.uint32).ravel(), BFLOAT16.astype(np.uint32) << 16)


def test_a_bool_is_0_or_1(path):
    text = json.dumps({"a": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0\1\2")
    assert load_weights(path)["a"].tobytes() == b"\0\1\1"


def test_what_cannot_be_saved(path):
    with pytest.raises(TypeError, match=r"save_weights: a: a \.safetensors .* hold complex128"):
        save_weights({"a": np.ones(2, complex)}, path)
    with pytest.raises(ValueError, match="save_weights: '__metadata__' cannot be a name"):
        save_weights({"__metadata__": np.ones(2)}, path)
    with pytest.raises(TypeError, match="save_weights: a must be an array of numbers"):
        save_weights({"a": [1.0]}, path)
    assert list(path.parent.iterdir()) == []


def test_a_torn_file_never_replaces_the_good_one(path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    save_weights(STATE, path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_weights({"a": np.zeros(3)}, path)
    monkeypatch.undo()
    got = load_weights(path)
    assert_equal({name: got[name] for name in STATE}, STATE)
    assert list(path.parent.iterdir()) == [path], "a temporary file was left"


def test_without_the_library(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (load_weights, lambda path: save_weights(STATE, path)):
        with pytest.raises(ImportError, match=r'pip install "cnnfast\[safetensors\]"'):
            call(path)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_not_there(path):
    with pytest.raises(FileNotFoundError):
        load_weights(path)
