"""Weights to .npz and back, and every way such a file can lie; each hostile file is made here."""

import io
import os
import pickle
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnfast.io import load_weights, save_weights
from cnnfast.models import lenet5

STATE = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "conv.bias": np.array([1.5, -0.0]),
    "steps": np.array(7),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.npz"


def assert_equal(got, want):
    assert list(got) == list(want)
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        assert got[name].shape == array.shape
        assert got[name].tobytes() == array.tobytes()  # bytes, so that NaN and -0.0 count


# ---------------------------------------------------------------------------- there and back

numbers = st.sampled_from("?bhilBHILefdFD").map(np.dtype)
states = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    numbers.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))),
    max_size=4,
)


@settings(max_examples=50, deadline=None)  # each waits for the disk
@given(state=states)
def test_round_trip(tmp_path_factory, state):
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    save_weights(state, path)
    assert_equal(load_weights(path), {name: widened(array) for name, array in state.items()})


def widened(array):
    return array.astype(np.float32) if array.dtype == np.float16 else array


def test_a_network_round_trips(path):
    model, other = lenet5(), lenet5()
    save_weights(model.state_dict(), path)
    other.load_state_dict(load_weights(path))
    assert_equal(other.state_dict(), model.state_dict())


@pytest.mark.parametrize("name", ["file", "allow_pickle", "a/b", "arr.npy", "", "weight ä"])
def test_any_name_will_do(path, name):
    save_weights({name: np.ones(2)}, path)
    assert_equal(load_weights(path), {name: np.ones(2)})


def test_numpy_reads_what_is_saved(path):
    save_weights(STATE, path)
    with np.load(path) as found:
        assert_equal(dict(found), STATE)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(path, write):
    write(path, **STATE)
    assert_equal(load_weights(path), STATE)


def test_memory_and_byte_order(path):
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    strided = np.arange(20.0).reshape(4, 5)[::-2, ::3]
    np.savez(path, fortran=fortran, strided=strided, big=np.arange(3, dtype=">f4"))
    got = load_weights(path)
    np.testing.assert_array_equal(got["fortran"], fortran)
    np.testing.assert_array_equal(got["strided"], strided)
    assert got["big"].tolist() == [0, 1, 2]
    assert all(array.dtype.isnative and array.flags.writeable for array in got.values())


def test_the_same_weights_give_the_same_file(tmp_path):
    contents = []
    for name in ("a.npz", "b.npz"):
        save_weights(STATE, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


# ---------------------------------------------------------------------------- saving


def test_only_arrays_of_numbers_are_saved(path):
    for value in ([1.0], np.array([None]), np.array(["a"]), np.zeros(2, "f4,f4"), None):
        with pytest.raises(TypeError, match="save_weights: weight must be an array of numbers"):
            save_weights({"weight": value}, path)
    with pytest.raises(TypeError, match="names must be strings, got 3"):
        save_weights({3: np.ones(2)}, path)
    with pytest.raises(ValueError, match="cannot be a name in a zip archive"):
        save_weights({"a\0b": np.ones(2)}, path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["weights.bin", "weights", "weights.npz.txt", ".npz"])
def test_other_endings(tmp_path, name):
    for call in (lambda p: save_weights(STATE, p), load_weights):
        with pytest.raises(ValueError, match=r"must end in \.npz(, | or ).*, got .*" + name):
            call(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


class TornError(Exception):
    pass


@pytest.mark.parametrize("step", ["write_array", "fsync", "replace"])
@pytest.mark.parametrize(
    "error", [TornError, KeyboardInterrupt, OSError(28, "No space left on device")]
)
def test_a_torn_file_never_replaces_the_good_one(path, monkeypatch, step, error):
    save_weights(STATE, path)
    original = np.lib.format.write_array if step == "write_array" else getattr(os, step)
    calls = []

    def torn(*args, **kwargs):
        calls.append(args)
        if len(calls) > (step == "write_array"):  # the first array is written, the second not
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(np.lib.format if step == "write_array" else os, step, torn)
    with pytest.raises(error if isinstance(error, type) else OSError):
        save_weights({"a": np.zeros(3), "b": np.zeros(3)}, path)
    monkeypatch.undo()
    assert_equal(load_weights(path), STATE)
    assert list(path.parent.iterdir()) == [path], "a temporary file was left"


def test_the_data_reach_the_disk_before_the_name_does(path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)
        assert zipfile.is_zipfile(source)  # all of it is there already
        events.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    save_weights(STATE, path)
    assert events == ["file", "replace"] + ["folder"] * (os.name == "posix")


@pytest.mark.skipif(os.name != "posix", reason="umask is of POSIX")
def test_permissions_are_those_of_any_new_file(path):
    other = path.with_name("other")
    other.touch()
    save_weights(STATE, path)
    assert path.stat().st_mode == other.stat().st_mode


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_weights(STATE, tmp_path / "missing" / "weights.npz")
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "missing.npz")


# ---------------------------------------------------------------------------- hostile files


def npy(shape="(3,)", descr="'<f4'", data=b"\0" * 12, version=1, header=None):
    """Give the bytes of an .npy file whose header may say anything."""
    if header is None:
        header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    text = header.encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def archive(path, *members, method=zipfile.ZIP_STORED):
    """Write a zip archive of (name, content) pairs."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)


def refused(path, *words):
    """Check that the file is refused by one line with these words, before memory is taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^load_weights: ") as caught:
            load_weights(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    for word in (str(path), *words):
        assert word in message
    assert "\n" not in message
    assert peak < (4 << 20) + 4 * path.stat().st_size


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("(4,)"), "float32 (4,), 16 bytes of data, but 12 follow it"),
        (npy("(2,)"), "float32 (2,), 8 bytes of data, but 12 follow it"),
        (npy("(1099511627776,)"), "4398046511104 bytes of data, but 12 follow"),
        (npy("(4294967296, 4294967296)"), "bytes of data, but 12 follow"),
        (npy("(4611686018427387904, 4)"), "bytes of data, but 12 follow"),  # 0 if it wrapped
        (npy("(-3,)"), "claims a shape of (-3,)"),
        (npy("(-1, -3)"), "claims a shape of (-1, -3)"),
        (npy("(0, 9223372036854775807)", data=b""), "array"),
        (npy(f"({'1, ' * 100})", data=b"\0" * 4), "dimension"),
        (npy("(3.0,)"), "the header cannot be read"),
        (npy("3"), "the header cannot be read"),
        (npy(descr="'|O'", data=pickle.dumps([1, 2, 3])), "dtype object, must be numbers"),
        (npy(descr="[('a', '|O')]", data=b"\0" * 24), "must be numbers"),
        (npy(descr="'<U1'"), "must be numbers"),
        (npy(descr="'|V4'"), "must be numbers"),
        (npy(descr="('<f4', (1,))"), "must be numbers"),
        (npy(descr="'<f99'"), "the header cannot be read"),
        (npy(header="__import__('os').abort()"), "the header cannot be read"),
        (npy(header="(" * 9000), "the header cannot be read"),
        (npy(header="{" + "'a': 1, " * 1000 + "}"), "the header cannot be read"),
        (npy(header=" " * 60_000), "claims 60000 bytes, at most 10000"),
        (npy(header=" " * 70_000, version=2), "claims 70000 bytes, at most 10000"),
        (npy(version=3), "not as an .npy file of version 1 or 2"),
        (npy()[:40], "the header cannot be read"),
        (npy()[:9], "the header cannot be read"),
        (npy()[:3], "not as an .npy file"),
        (b"", "starts with b'', not as an .npy file"),
        (pickle.dumps(np.ones(3)), "not as an .npy file"),
    ],
)
def test_a_member_that_lies(path, content, words, method):
    archive(path, ("good.npy", npy()), ("bad.npy", content), method=method)
    refused(path, "member 'bad.npy'", words)


def test_the_lies_above_are_told_by_the_content_alone(path):
    archive(path, ("a.npy", npy()), ("b.npy", npy("(1, 3)", version=2)))
    assert {name: array.shape for name, array in load_weights(path).items()} == {
        "a": (3,),
        "b": (1, 3),
    }


def test_nothing_is_unpickled(path):
    class Bomb:
        def __reduce__(self):
            return os.abort, ()

    array = np.empty(1, object)
    array[0] = Bomb()
    np.savez(path, array=array)
    refused(path, "member 'array.npy'", "dtype object")


@pytest.mark.parametrize("name", ["readme.txt", "weights/", "array.npy.txt", "NPY"])
def test_a_member_that_is_no_npy(path, name):
    archive(path, ("a.npy", npy()), (name, b""))
    refused(path, f"member '{name}'", "not an .npy file")


def test_a_name_twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(path, ("a.npy", npy()), ("a.npy", npy("(1, 3)")))
    refused(path, "member 'a.npy'", "holds it twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(path, method):
    archive(path, ("a.npy", npy()), method=method)
    refused(path, "member 'a.npy'", f"compression method {method}")


def test_not_a_zip_archive(path):
    for content in (b"", b"PK", npy(), pickle.dumps(STATE), b"PK\5\6" + b"\xff" * 18):
        path.write_bytes(content)
        refused(path, "not a zip archive")


def test_an_archive_without_members_has_no_weights(path):
    archive(path)
    assert load_weights(path) == {}


def test_every_truncation(path):
    save_weights(STATE, path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refused(path)


def test_every_byte_changed(path):
    """Each file is refused, or the change is where it matters to no array.

    (It may hide the entries of whole arrays: a longer comment in a zip directory swallows them.)
    """
    save_weights(STATE, path)
    content = path.read_bytes()
    refusals = 0
    for index in range(len(content)):
        for flip in (0xFF, 0x01, 0x80):
            changed = bytearray(content)
            changed[index] ^= flip
            path.write_bytes(changed)
            try:
                got = load_weights(path)
            except ValueError:
                refusals += 1
                continue
            assert_equal(got, {name: STATE[name] for name in got})
    assert refusals > len(content)


def test_a_bomb(path):
    zeros = np.zeros(200 << 20, np.uint8)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(zeros))
    archive(path, ("a.npy", header.getvalue() + bytes(zeros)), method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    refused(path, "claims to unpack to 2097", "more than 100 times its")


def test_a_few_zeros_are_no_bomb(path):
    np.savez_compressed(path, zeros=np.zeros(1_000_000))
    assert path.stat().st_size * 100 < 8_000_000
    assert not load_weights(path)["zeros"].any()


def directory_entries(content):
    """Where the entries of a zip directory start."""
    start, found = 0, []
    while (start := content.find(b"PK\1\2", start)) >= 0:
        found.append(start)
        start += 4
    return found


def test_members_that_overlap(path):
    """Fifield's bomb: many entries of the directory share the same bytes."""
    archive(path, *((f"{i}.npy", npy()) for i in range(3)))
    content = bytearray(path.read_bytes())
    first, second, _ = directory_entries(content)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    refused(path, "member '1.npy'", "overlaps member '0.npy'")


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, struct.pack("<H", 1), "encrypted"),
        (20, struct.pack("<I", 1 << 30), "holds 1073741824"),
        (24, struct.pack("<I", 1 << 30), "claims 1073741824 bytes, holds"),
        (20, struct.pack("<II", 1 << 30, 1 << 30), "claims bytes up to"),
        (42, struct.pack("<I", 1 << 30), "claims bytes up to"),
    ],
)
def test_a_directory_that_lies(path, offset, value, words):
    archive(path, ("a.npy", npy()))
    content = bytearray(path.read_bytes())
    (entry,) = directory_entries(content)
    content[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(content)
    refused(path, "member 'a.npy'", words)


def test_a_deflated_member_that_holds_less_than_the_directory_claims(path):
    claimed = 32 << 20
    archive(path, ("a.npy", npy(f"({claimed},)", "'|u1'")), method=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    (entry,) = directory_entries(content)
    header = len(npy(f"({claimed},)", "'|u1'", data=b""))
    content[entry + 24 : entry + 28] = struct.pack("<I", header + claimed)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"member 'a.npy': truncated: 12 of 33554432 bytes"):
        load_weights(path)


def test_a_checksum_that_is_wrong(path):
    archive(path, ("a.npy", npy()))
    content = bytearray(path.read_bytes())
    where = content.index(b"\n" + b"\0" * 12)
    content[where + 5] = 1
    path.write_bytes(content)
    refused(path, "member 'a.npy'", "CRC")
