"""ONNX files that lie or ask for too much: kept in hostile/, or good ones changed by chance."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest

from cnnfast import load_onnx
from tests.io.onnx.make_hostile import FILES, FOLDER, OUTSIDE, TWO, VALID, external, model

MEGABYTE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of weights, and the same above it."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (folder, tmp_path, folder / "sub"):
        place.joinpath(OUTSIDE).write_bytes(TWO)
    return folder


def loaded(folder: Path, made: onnx.ModelProto):
    path = folder / "model.onnx"
    onnx.save(made, path)
    return load_onnx(path)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused(name, folder):
    path = folder / name
    shutil.copyfile(FOLDER / name, path)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^load_onnx: ") as caught:
            load_onnx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert str(path) in message
    assert FILES[name][1] in message
    assert len(message) < 2000
    assert peak < 4 * MEGABYTE


def test_the_files_are_what_the_script_makes():
    assert {path.name for path in FOLDER.iterdir()} == FILES.keys()
    for name, (content, _) in FILES.items():
        assert FOLDER.joinpath(name).read_bytes() == content, name


# ---------------------------------------------------------------------------- other files


@pytest.mark.parametrize("location", [OUTSIDE, f"sub/{OUTSIDE}", f"./{OUTSIDE}"])
def test_external_data_in_the_folder(folder, location):
    graph = loaded(folder, external(location, offset=0, length=8))
    assert graph(np.zeros(2, np.float32)).tolist() == [1, 1]


def test_external_data_is_not_there(folder):
    with pytest.raises(FileNotFoundError):
        loaded(folder, external("nowhere.bin"))


def test_external_data_may_be_a_file_only(folder):
    with pytest.raises((ValueError, OSError)):
        loaded(folder, external("sub"))


def test_one_region_may_serve_several_tensors(folder):
    made = model("a = Add(x, v) y = Add(a, w)")
    for name in "vw":
        tensor = external(OUTSIDE).graph.initializer[0]
        tensor.name = name
        made.graph.initializer.append(tensor)
    assert loaded(folder, made)(np.zeros(2, np.float32)).tolist() == [2, 2]


links = pytest.mark.skipif(sys.platform == "win32", reason="there links need privileges")


@links
def test_external_data_behind_a_link(folder):
    (folder / "link.bin").symlink_to(folder.parent / OUTSIDE)
    with pytest.raises(ValueError, match="behind a link"):
        loaded(folder, external("link.bin"))


@links
def test_external_data_behind_a_linked_folder(folder):
    (folder / "link").symlink_to(folder.parent, target_is_directory=True)
    with pytest.raises(ValueError, match="behind a link"):
        loaded(folder, external(f"link/{OUTSIDE}"))


@links
def test_external_data_behind_a_hard_link(folder):
    os.link(folder.parent / OUTSIDE, folder / "hard.bin")
    with pytest.raises(ValueError, match="no hard link"):
        loaded(folder, external("hard.bin"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_external_data_from_a_pipe(folder):
    os.mkfifo(folder / "pipe.bin")
    with pytest.raises((ValueError, OSError)):
        loaded(folder, external("pipe.bin"))


def test_a_model_behind_a_link_is_read(folder):
    """Whoever asks for it by that name has chosen so; its folder is where the link is."""
    onnx.save(VALID, folder / "model.onnx")
    (folder.parent / "link.onnx").symlink_to(folder / "model.onnx")
    assert load_onnx(folder.parent / "link.onnx")(np.zeros(2, np.float32)).tolist() == [1, 1]


# ---------------------------------------------------------------------------- bombs

MUCH = f"<int64[4] much = {{1, 1, {2**20}, {2**20}}}>"
BOMBS = {
    "ConstantOfShape": model("y = ConstantOfShape(much)", initialisers=MUCH),
    "Expand": model("y = Expand(x, much)", initialisers=MUCH),
    "Tile": model("y = Tile(x, much)", initialisers=MUCH),
    "Pad": model(f"y = Pad(x, pads) pads = Constant<value_ints = [0, {2**40}]>()"),
    "Resize": model("n = Constant<value_ints = [1]>() y = Resize(x, , , much)", initialisers=MUCH),
    "MaxPool": model(f'y = MaxPool<kernel_shape = [{2**30}], auto_pad = "SAME_UPPER">(x)'),
    "AveragePool": model(f"y = AveragePool<kernel_shape = [1, 1], pads = [{2**30}, 0, 0, 0]>(x)"),
    "Dropout": model("s = ConstantOfShape(much) y = Dropout(s)", initialisers=MUCH),
}


@pytest.mark.parametrize("name", BOMBS)
def test_nothing_large_is_made_at_loading(folder, name):
    tracemalloc.start()
    try:
        loaded(folder, BOMBS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MEGABYTE


# ---------------------------------------------------------------------------- by chance


def test_every_beginning_of_a_file(folder):
    content = VALID.SerializeToString(deterministic=True)
    path = folder / "model.onnx"
    read = 0
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            load_onnx(path)
            read += 1
        except ValueError:
            pass
    assert read < len(content) / 4  # the versions of operators stand at the end


def test_changed_at_random(folder):
    rng = random.Random(0)
    path = folder / "model.onnx"
    outcomes = {"read": 0, "refused": 0}
    for source in (VALID, *BOMBS.values()):
        content = source.SerializeToString(deterministic=True)
        for _ in range(40):
            changed = bytearray(content)
            for _ in range(rng.choice([1, 1, 2])):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            path.write_bytes(changed)
            try:
                load_onnx(path)
                outcomes["read"] += 1
            except (ValueError, NotImplementedError):
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
