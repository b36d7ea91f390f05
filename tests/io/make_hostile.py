"""The files in hostile/, each of which lies or asks for too much: python -m tests.io.make_hostile

FILES gives for each its bytes, and words of the message that refuses it.
"""

import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

from tests.io import forge
from tests.io.forge import dict_of, finished, plain, storage, symbol, tensor, tuple_of

FOLDER = Path(__file__).parent / "hostile"
ONE = bytes(4)  # a float32
HUGE = 1 << 40


# ---------------------------------------------------------------------------- checkpoints


def zipped(opcodes, *blocks, **options):
    file = io.BytesIO()
    forge.zipped(file, opcodes, *blocks, **options)
    return file.getvalue()


def entry(*arguments, block=ONE, **options):
    """A checkpoint of one tensor, in a storage of one element."""
    return zipped(dict_of({"a": tensor(storage(1), *arguments)}), block, **options)


def tarred(**members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def pushed(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


ECHO = tuple_of(plain("echo called"))
REFUSED = "only tensors, numbers and plain containers are read"
# ((((...), ...), ...), ...): 10 at a time, 40 deep, by reference.
LAUGHS = plain([]) + b"q\0" + b"".join(b"](" + b"h\0" * 10 + b"eq\0" for _ in range(40))
TEN_THOUSAND = b"](" + b"N" * 10_000 + b"eq\0"
NO_TENSORS = finished(dict_of({}))
STORAGES = pickle.dumps(1, 2) + finished(
    tuple_of(plain(7), plain("cpu"), symbol("torch.FloatStorage"))
)

CHECKPOINTS = {
    "calls_system.pth": (zipped(symbol("posix.system") + ECHO + b"R"), "posix.system"),
    "calls_system_legacy.pth": (
        forge.LEGACY + finished(symbol("posix.system") + ECHO + b"R"),
        "posix.system",
    ),
    "calls_system_before_the_magic_number.pth": (
        finished(symbol("posix.system") + ECHO + b"R"),
        "posix.system",
    ),
    "calls_system_tarred.pth": (
        tarred(
            storages=finished(symbol("posix.system") + ECHO + b"R"),
            tensors=pickle.dumps(0, 2),
            pickle=NO_TENSORS,
        ),
        "posix.system",
    ),
    "calls_system_by_protocol_0.pth": (
        zipped(b"(S'echo called'\nios\nsystem\n"),
        "os.system",
    ),
    "calls_eval_by_protocol_4.pth": (
        zipped(pushed("builtins") + pushed("eval") + b"\x93" + tuple_of(plain("1")) + b"R"),
        "builtins.eval",
    ),
    "calls_by_extension_code.pth": (zipped(b"\x82\1"), "opcode EXT1"),
    "asks_for_a_method.pth": (
        zipped(pushed("torch.Tensor") + pushed("__init__.__globals__") + b"\x93"),
        "torch.Tensor.__init__.__globals__",
    ),
    "calls_a_number.pth": (zipped(plain(3) + tuple_of() + b"R"), "calls a int"),
    "sets_attributes.pth": (
        zipped(symbol("torch._utils._rebuild_tensor_v2") + plain({"__code__": 1}) + b"b"),
        "sets the state of a function",
    ),
    "a_whole_model.pth": (
        zipped(symbol("__main__.Net") + b")\x81" + plain({"training": True}) + b"b"),
        "__main__.Net; " + REFUSED + " (of a model, save model.state_dict()",
    ),
    "script.pth": (zipped(plain([]), records=[("constants.pkl", NO_TENSORS)]), "TorchScript"),
    # ---- tensors
    "storage_shorter_than_claimed.pth": (
        zipped(dict_of({"a": tensor(storage(HUGE), 0, (HUGE,), (1,))}), ONE),
        f"storage '0' claims {HUGE} elements of float32, the file has 1",
    ),
    "storage_shorter_than_claimed_legacy.pth": (
        forge.LEGACY
        + finished(dict_of({"a": tensor(storage(HUGE), 0, (HUGE,), (1,))}))
        + pickle.dumps(["0"], 2)
        + struct.pack("<q", HUGE)
        + ONE,
        f"a storage claims {4 * HUGE} bytes, the file has 4 more",
    ),
    "storage_of_negative_size_legacy.pth": (
        forge.LEGACY
        + finished(dict_of({"a": tensor(storage(1), 0, (1,), (1,))}))
        + pickle.dumps(["0"], 2)
        + struct.pack("<q", -8)
        + ONE,
        "a storage claims -32 bytes",
    ),
    "storage_missing.pth": (
        zipped(dict_of({"a": tensor(storage(1, key="1"), 0, (1,), (1,))}), ONE),
        "no record 'data/1'",
    ),
    "storage_outside_of_the_folder.pth": (
        zipped(dict_of({"a": tensor(storage(1, key="../../b/data/0"), 0, (1,), (1,))}), ONE),
        "no record 'data/../../b/data/0'",
    ),
    "tensor_past_its_storage.pth": (entry(1, (1,), (1,)), "does not fit into its storage of 1"),
    "tensor_before_its_storage.pth": (entry(-1, (1,), (1,)), "a tensor that makes no sense"),
    "tensor_with_large_strides.pth": (entry(0, (2,), (HUGE,)), "does not fit into its storage"),
    "tensor_with_negative_strides.pth": (entry(0, (1, 2), (1, -1)), "makes no sense"),
    "tensor_of_many_elements_by_stride_0.pth": (entry(0, (HUGE,), (0,)), "does not fit"),
    "tensor_whose_size_wraps.pth": (entry(0, (1 << 32, 1 << 32), (1, 1)), "does not fit"),
    "tensor_of_a_negative_shape.pth": (entry(0, (-1, -1), (1, 1)), "makes no sense"),
    "tensor_of_a_huge_shape_beside_a_zero.pth": (
        entry(0, (0, 1 << 62), (1, 1)),
        "array is too big",
    ),
    "tensor_of_too_many_axes.pth": (entry(0, (1,) * 65, (1,) * 65), "makes no sense"),
    "tensor_of_a_shape_of_text.pth": (entry(0, "ab", (1, 1)), "makes no sense"),
    # ---- pickles
    "containers_too_deep.pth": (zipped(b")" + b"\x85" * 20_000), "more than 100 deep"),
    "keys_too_deep.pth": (
        zipped(b"})" + b"\x85" * 20_000 + b"Ns"),
        "a dict with a key of type tuple",
    ),
    "a_list_in_itself.pth": (zipped(b"]q\0h\0a"), "can justify"),
    "laughs.pth": (zipped(LAUGHS), "can justify"),
    "long_names.pth": (
        zipped(b"}" + plain("a" * 10_000) + TEN_THOUSAND + b"s"),
        "can justify",
    ),
    "memo_of_four_thousand_million.pth": (zipped(b"Nr\xff\xff\xff\xff0"), "IndexError"),
    "text_of_2_to_the_62.pth": (
        zipped(b"\x8d" + struct.pack("<Q", 1 << 62) + b"a"),
        "but only",
    ),
    "bytes_of_2_to_the_62_legacy.pth": (
        b"\x80\5\x96" + struct.pack("<Q", 1 << 62) + b"a",
        "but only",
    ),
    "two_entries_of_one_name.pth": (
        zipped(dict_of({"a.b": plain(1), "a": dict_of({"b": plain(2)})})),
        "two entries are called 'a.b'",
    ),
    "an_empty_stack.pth": (zipped(b"0"), "the pickle is damaged"),
    # ---- archives
    "bomb.pth": (
        zipped(dict_of({}), bytes(1 << 20), method=zipfile.ZIP_DEFLATED),
        "compression method 8, must be stored",
    ),
    "names_that_leave_the_folder.pth": (
        zipped(plain([]), folder="../../.."),
        "no record 'data.pkl'",
    ),
    "byte_order_unknown.pth": (
        zipped(plain([]), records=[("byteorder", b"middle")]),
        "byte order b'middle'",
    ),
    "truncated.pth": (entry(0, (1,), (1,))[:-30], "a truncated or damaged zip archive"),
    "truncated_legacy.pth": (forge.LEGACY + finished(dict_of({}))[:-1], "pickle exhausted"),
    "storage_shorter_than_claimed_tarred.pth": (
        tarred(storages=STORAGES + struct.pack("<q", HUGE) + ONE, tensors=b"N.", pickle=b"N."),
        f"a storage claims {4 * HUGE} bytes",
    ),
    "many_storages_tarred.pth": (
        tarred(storages=finished(plain(HUGE)), tensors=b"N.", pickle=b"N."),
        "pickle exhausted",
    ),
    "member_of_negative_size_tarred.pth": (
        tarred(storages=b"N.").replace(b"00000000002\0", b"-0000001000\0", 1),
        "claims -512 bytes",
    ),
    "neither.pth": (b"neither a zip archive nor a pickle", "no checkpoint of torch"),
    "empty.pth": (b"", "no checkpoint of torch"),
}

# ---------------------------------------------------------------------------- safetensors


def safetensors(header, data=bytes(8), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def two(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


A = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
B = b'"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}'

SAFETENSORS = {
    "shape_is_not_the_span.safetensors": (safetensors({"a": two((3,))}), "invalid shape"),
    "type_is_not_the_span.safetensors": (safetensors({"a": two(dtype="F64")}), "invalid shape"),
    "offsets_reversed.safetensors": (safetensors({"a": two(offsets=(8, 0))}), "invalid offset"),
    "offsets_overlapping.safetensors": (
        safetensors({"a": two(), "b": two(offsets=(4, 12))}, bytes(12)),
        "invalid offset",
    ),
    "offsets_negative.safetensors": (safetensors({"a": two(offsets=(-8, 0))}), "-8"),
    "offsets_past_the_end.safetensors": (
        safetensors({"a": two((HUGE,), (0, 4 * HUGE))}),
        "incomplete metadata",
    ),
    "offsets_with_a_hole.safetensors": (
        safetensors({"a": two(offsets=(4, 12))}, bytes(12)),
        "invalid offset",
    ),
    "size_wraps.safetensors": (safetensors({"a": two((1 << 32, 1 << 32))}), "overflow"),
    "size_wraps_to_zero.safetensors": (
        safetensors({"a": two((1 << 62, 4), (0, 0))}, b""),
        "overflow",
    ),
    "huge_shape_beside_a_zero.safetensors": (
        safetensors({"a": two((0, 1 << 63), (0, 0))}, b""),
        "'a': ",
    ),
    "too_many_axes.safetensors": (safetensors({"a": two([1] * 99 + [2])}), "'a': "),
    "header_past_100_megabytes.safetensors": (
        safetensors({}, length=100_000_001),
        "header too large",
    ),
    "header_past_the_end.safetensors": (safetensors({}, b"", length=3000), "header"),
    "header_of_2_to_the_63.safetensors": (safetensors({}, length=1 << 63), "header too large"),
    "header_too_deep.safetensors": (safetensors(b'{"a":' * 5000), "recursion limit"),
    "header_is_no_json.safetensors": (safetensors(b"{a"), "invalid JSON"),
    "header_is_no_utf8.safetensors": (safetensors(b'{"\xff":1}'), "UTF-8"),
    "name_twice.safetensors": (
        safetensors(b"{" + B + b"," + A + b"," + B + b"}"),
        "the header has 'b' twice",
    ),
    "type_unknown.safetensors": (safetensors({"a": two(dtype="X9")}), "X9"),
    "type_that_numpy_has_not.safetensors": (
        safetensors({"a": two((8,), dtype="F8_E4M3")}),
        "'a' has elements of type F8_E4M3",
    ),
    "truncated.safetensors": (safetensors({"a": two()}, bytes(7)), "incomplete metadata"),
    "empty.safetensors": (b"", "header too small"),
}


# ---------------------------------------------------------------------------- NumPy's and IDX


def npz(header, data=bytes(8), name="a.npy"):
    text = header.encode()
    content = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def said(shape, descr="<f4"):
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


OTHERS = {
    "claims_more_than_it_holds.npz": (npz(said((HUGE,))), "but 8 follow it"),
    "size_wraps.npz": (npz(said((1 << 32, 1 << 32))), "but 8 follow it"),
    "negative_shape.npz": (npz(said((-2,))), "claims a shape of (-2,)"),
    "pickled_objects.npz": (npz(said((1,), "|O"), pickle.dumps([1])), "dtype object"),
    "truncated.npz": (npz(said((2,)))[:-1], "not a zip archive"),
    "claims_more_than_it_holds-idx1-ubyte": (
        bytes([0, 0, 0x0D, 2]) + struct.pack(">II", 1 << 31, 1 << 31) + ONE,
        "found 4 bytes of data, expected the 18446744073709551616",
    ),
}

FILES = CHECKPOINTS | SAFETENSORS | OTHERS

if __name__ == "__main__":
    for name, (content, _) in FILES.items():
        FOLDER.joinpath(name).write_bytes(content)
