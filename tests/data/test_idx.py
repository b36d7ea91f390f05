"""The IDX reader: every type and rank, and every way a file can lie."""

import gzip
import io
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cnnfast.data import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
SMALL = np.arange(6, dtype=np.uint8).reshape(2, 3)


def header(code, shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def encode(array):
    """Give the IDX bytes of an array."""
    code = CODES[array.dtype.str[1:]]
    return header(code, array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(params=["plain", "gzip"])
def write(request, tmp_path):
    """Write bytes to a file, as they are or gzip'd, whichever this run is about."""

    def write(content):
        path = tmp_path / "file"
        path.write_bytes(content if request.param == "plain" else gzip.compress(content))
        return path

    return write


def arrays():
    dtypes = st.sampled_from(sorted(CODES)).map(np.dtype)
    return dtypes.flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0))
    )


@given(array=arrays(), zipped=st.booleans())
def test_round_trip(tmp_path_factory, array, zipped):
    path = tmp_path_factory.getbasetemp() / "round_trip"
    content = encode(array)
    path.write_bytes(gzip.compress(content) if zipped else content)
    got = read_idx(path)
    assert got.dtype == array.dtype
    assert got.dtype.isnative
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes()  # bytes, so that NaN and -0.0 count
    assert got.flags.c_contiguous
    assert got.flags.writeable


def test_known_bytes(write):
    content = bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE])
    np.testing.assert_array_equal(read_idx(write(content)), np.array([[258, -2]], np.int16))


def test_more_than_one_chunk(write):
    array = np.random.default_rng(0).integers(0, 256, (3, 1000, 1000), np.uint8)
    np.testing.assert_array_equal(read_idx(write(encode(array))), array)


def test_name_does_not_decide(tmp_path):
    plain = tmp_path / "plain.gz"
    plain.write_bytes(encode(SMALL))
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(encode(SMALL)))
    np.testing.assert_array_equal(read_idx(plain), SMALL)
    np.testing.assert_array_equal(read_idx(str(zipped)), SMALL)


def test_truncated_at_every_byte(write):
    content = encode(SMALL)
    for size in range(len(content)):
        path = write(content[:size])
        expected = "truncated header" if size < 12 else f"found {size - 12} bytes of data"
        with pytest.raises(ValueError, match=f"read_idx: .*file: {expected}"):
            read_idx(path)


def test_gzip_stream_truncated_at_every_byte(tmp_path):
    content = gzip.compress(encode(SMALL))
    path = tmp_path / "file"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        expected = "truncated header" if size < 2 else "corrupt gzip stream"
        with pytest.raises(ValueError, match=f"read_idx: .*file: {expected}"):
            read_idx(path)


def test_every_bit_of_a_gzip_stream_flipped(tmp_path):
    # A few bits mean nothing (time, padding): the array is then right. It is never wrong.
    content = gzip.compress(encode(SMALL))
    path = tmp_path / "file"
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            got = read_idx(path)
        except ValueError:
            continue
        np.testing.assert_array_equal(got, SMALL)


@pytest.mark.parametrize("position", [-8, -4])
def test_gzip_checksum_and_length_are_verified(tmp_path, position):
    content = bytearray(gzip.compress(encode(SMALL)))
    content[position] ^= 1
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="corrupt gzip stream"):
        read_idx(path)


def test_garbage_after_the_gzip_stream(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(encode(SMALL)) + b"garbage")
    with pytest.raises(ValueError, match="corrupt gzip stream"):
        read_idx(path)


@pytest.mark.parametrize(
    "magic", [b"\0\1\x08\1", b"\1\0\x08\1", b"\0\0\x0a\1", b"\0\0\0\0", b"\x89PNG", b"\x93NUM"]
)
def test_bad_magic(write, magic):
    with pytest.raises(ValueError, match=f"bad magic: found bytes {magic.hex(' ')}, expected"):
        read_idx(write(magic + bytes(64)))


@pytest.mark.parametrize("extra", [b"\0", b"x" * 100])
def test_trailing_bytes(write, extra):
    with pytest.raises(ValueError, match=r"more bytes .* only the 6 .* uint8 \(2, 3\)"):
        read_idx(write(encode(SMALL) + extra))


LARGEST = 2**32 - 1


@pytest.mark.parametrize("code", CODES.values())
@pytest.mark.parametrize(
    "shape",
    [
        (LARGEST,),
        (LARGEST,) * 2,
        (2**31, 2**31, 4),  # 2^64, which is 0 where sizes wrap
        (2**31, 2**31, 4, 3),
        (2**32 - 2**16, 2**32 - 2**16, 2**16, 2**16),
        (LARGEST,) * 255,
    ],
)
def test_header_that_lies_costs_nothing(write, code, shape):
    path = write(header(code, shape) + bytes(16))
    itemsize = {CODES[name]: int(name[1]) for name in CODES}[code]
    with pytest.raises(ValueError, match=f"16 bytes .* the {math.prod(shape) * itemsize} that"):
        peak_of_reading(path, limit=1_000_000)


@pytest.mark.parametrize(
    ("shape", "content"), [((1,) * 255, b"x"), ((LARGEST, LARGEST, LARGEST, 0), b"")]
)
def test_shape_that_no_array_can_have(write, shape, content):
    with pytest.raises(ValueError, match=r"read_idx: .*file: found shape .* NumPy can hold"):
        read_idx(write(header(0x08, shape) + content))


def test_gzip_bomb_is_bounded_by_its_header(tmp_path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as stream:
        stream.write(encode(SMALL))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    path = tmp_path / "bomb"
    path.write_bytes(packed.getvalue())
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="more bytes"):
        peak_of_reading(path, limit=1_000_000)


def peak_of_reading(path, limit):
    """Read the file, and fail where that allocates more than `limit` bytes."""
    tracemalloc.start()
    try:
        read_idx(path)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < limit


def test_empty_file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match="truncated header: found 0 bytes, expected at least 4"):
        read_idx(path)


def test_directory_and_missing_file_are_the_system_errors(tmp_path):
    with pytest.raises(OSError, match=tmp_path.name):
        read_idx(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_idx(tmp_path / "absent")


def test_path_of_another_type():
    with pytest.raises(TypeError):
        read_idx(0)  # open() would take it for standard input
