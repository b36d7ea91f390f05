"""Files that lie, or ask for more than data: kept in hostile/, or good ones changed by chance."""

import random
import sys
import tracemalloc

import pytest

from cnnfast.data import read_idx
from cnnfast.io import load_weights, save_weights
from tests.helpers import run_python
from tests.io import forge, make_checkpoints, make_hostile
from tests.io.make_hostile import FILES, FOLDER

MEGABYTE = 1 << 20


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused(name, capfd):
    read, prefix = (read_idx, "read_idx") if "idx" in name else (load_weights, "load_weights")
    path = FOLDER / name
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^{prefix}: ") as caught:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert str(path) in message
    assert FILES[name][1] in message
    assert "\n" not in message
    assert len(message) < 700 + len(str(path))
    assert peak < 4 * MEGABYTE + 50 * path.stat().st_size
    assert capfd.readouterr() == ("", ""), "something was executed"


@pytest.mark.skipif(
    sys.platform == "win32", reason="there zip entries have another system's number"
)
def test_the_files_are_what_the_script_makes():
    assert {path.name for path in FOLDER.iterdir()} == FILES.keys()
    for name, (content, _) in FILES.items():
        if name != "bomb.pth":  # what zlib makes of it is up to its version
            assert FOLDER.joinpath(name).read_bytes() == content, name


def test_one_list_as_many_dicts(tmp_path):
    """Torch under Python 2 made dicts out of lists of pairs; here out of one list again and again.

    What comes of it matters less than that a thousand entries are not copied a thousand times.
    """
    path = tmp_path / "weights.pth"
    pairs = forge.list_of(*(forge.plain([str(i), None]) for i in range(1000)))
    kept = forge.symbol("collections.OrderedDict") + b"q\xf0" + pairs + b"q\xf1"
    forge.zipped(path, b"](" + kept + b"h\xf0h\xf1\x85R" * 1000 + b"e")
    tracemalloc.start()
    load_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MEGABYTE


# ---------------------------------------------------------------------------- by chance


def good_files(folder):
    state = make_checkpoints.network()
    for name in ("network.npz", "network.safetensors"):
        save_weights(state, folder / name)
        yield folder / name
    for name in ("network.pth", "training.pth", "network_tarred.pth", "training_legacy.pth"):
        yield make_checkpoints.FOLDER / name


def changed(content, rng):
    """Change a few bytes, cut some out, or put others in."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        where = rng.randrange(len(content))
        until = where + rng.choice([1, 1, 1, 4, 8])
        length = min(until, len(content)) - where
        edge = rng.choice([b"\xff", b"\0", b"\x7f", b"\x80", rng.randbytes(1)]) * length
        content[where:until] = rng.choice([edge, edge, edge, b"", edge + edge])
    return content


def test_changed_at_random(tmp_path):
    """Whatever a file holds, it gives arrays or an error, and takes no more memory than it may."""
    rng = random.Random(0)
    outcomes = {"read": 0, "refused": 0}
    for source in good_files(tmp_path):
        content = source.read_bytes()
        path = tmp_path / f"changed{source.suffix}"
        tracemalloc.start()
        for _ in range(100):
            path.write_bytes(changed(content, rng))
            try:
                state = load_weights(path)
                outcomes["read"] += 1
                assert sum(array.nbytes for array in state.values()) < 4 * len(content)
            except ValueError:
                outcomes["refused"] += 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * MEGABYTE
    assert min(outcomes.values()) > 50


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited as on Linux")
def test_with_little_memory():
    """The files again, where nothing large could be allocated, not even without being touched."""
    script = f"""
import resource
from tests.io.make_hostile import FILES, FOLDER
from cnnfast.io import load_weights
from cnnfast.data import read_idx
import safetensors.numpy
import cnnfast.io.npz, cnnfast.io.torch_checkpoint, cnnfast.io.safetensors
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {64 * MEGABYTE},) * 2)
for name in FILES:
    try:
        (read_idx if "idx" in name else load_weights)(FOLDER / name)
    except ValueError as error:
        continue
    print("read:", name)
"""
    run = run_python(script)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert make_hostile.HUGE > 64 * MEGABYTE
