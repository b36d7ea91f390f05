"""Downloads from a server on this machine: good files, bad ones, and none."""

import hashlib
import io
import re
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cnnfast.data import cifar10, download, fetch

pytest.importorskip("pooch")


class Server:
    """Serves `files` by their names; `cut` is how many bytes at their ends it keeps back."""

    def __init__(self):
        self.files, self.cut, self.asked = {}, 0, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/")
                outer.asked.append(name)
                content = outer.files.get(name)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) - outer.cut])

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def url(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def add(self, name, content, members=()):
        """Serve a file; give how it is known."""
        self.files[name] = content
        return download._Download(self.url(name), hashlib.sha256(content).hexdigest(), members)

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def known(server, monkeypatch):
    """Make a set of two files known as "pair"."""
    files = (server.add("one.gz", b"1" * 1000), server.add("two.gz", b"2" * 3000))
    monkeypatch.setitem(download._SETS, "pair", files)
    return files


def archive(entries):
    """Pack files, or links where the content is a string."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, inside in entries.items():
            entry = tarfile.TarInfo(name)
            if isinstance(inside, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, inside
                tar.addfile(entry)
            else:
                entry.size = len(inside)
                tar.addfile(entry, io.BytesIO(inside))
    return content.getvalue()


def everything_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# ---------------------------------------------------------------------------- files


def test_downloads_once(known, server, tmp_path):
    folder = fetch("pair", str(tmp_path / "new"))
    assert folder == tmp_path / "new" / "pair"
    assert everything_in(folder) == ["one.gz", "two.gz"]
    assert (folder / "two.gz").read_bytes() == b"2" * 3000
    assert fetch("pair", tmp_path / "new") == folder
    assert server.asked == ["one.gz", "two.gz"]


def test_a_damaged_file_is_downloaded_again(known, server, tmp_path):
    folder = fetch("pair", tmp_path)
    (folder / "one.gz").write_bytes(b"?")
    fetch("pair", tmp_path)
    assert (folder / "one.gz").read_bytes() == b"1" * 1000
    assert server.asked == ["one.gz", "two.gz", "one.gz"]


def test_the_cache_of_the_system(known, monkeypatch, tmp_path):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    assert fetch("pair") == tmp_path / "cache" / "cnnfast" / "pair"


def test_another_content(known, server, tmp_path):
    server.files["two.gz"] = b"3" * 3000
    with pytest.raises(
        ValueError, match=f"fetch: {server.url('two.gz')}: .*SHA256.* expected"
    ) as e:
        fetch("pair", tmp_path)
    assert known[1].sha256 in str(e.value)
    assert everything_in(tmp_path) == ["pair", "pair/one.gz"]


def test_a_download_cut_short(known, server, tmp_path):
    server.cut = 10
    with pytest.raises((OSError, ValueError), match=f"fetch: {server.url('one.gz')}: ."):
        fetch("pair", tmp_path)
    assert everything_in(tmp_path) == ["pair"]
    server.cut = 0
    assert everything_in(fetch("pair", tmp_path)) == ["one.gz", "two.gz"]


def test_a_file_that_is_not_there(known, server, tmp_path):
    del server.files["one.gz"]
    with pytest.raises(OSError, match=f"fetch: {server.url('one.gz')}: 404"):
        fetch("pair", tmp_path)


def test_no_server(known, server, tmp_path):
    server.stop()
    with pytest.raises(OSError, match=f"fetch: {server.url('one.gz')}: .*[Cc]onnection"):
        fetch("pair", tmp_path)


# ---------------------------------------------------------------------------- archives


def test_cifar(server, monkeypatch, tmp_path):
    (real,) = download._SETS["cifar10"]
    record = bytes([3, *[0] * 3072])
    packed = archive(
        {"cifar-10-batches-bin/readme.html": b"", **dict.fromkeys(real.members, record)}
    )
    known = server.add("cifar-10-binary.tar.gz", packed, real.members)
    monkeypatch.setitem(download._SETS, "cifar10", (known,))
    for _ in range(2):
        folder = fetch("cifar10", tmp_path)
        assert cifar10(folder).train_labels.tolist() == [3] * 5
    assert everything_in(folder) == sorted(Path(member).name for member in real.members)
    assert len(server.asked) == 1
    (folder / "test_batch.bin").unlink()
    assert len(cifar10(fetch("cifar10", tmp_path)).test_labels) == 1
    assert len(server.asked) == 2


def test_only_what_is_wanted_leaves_an_archive(server, monkeypatch, tmp_path):
    outside = tmp_path / "outside"
    packed = archive(
        {
            "../outside": b"evil",
            str(outside): b"evil",
            "set/link": str(tmp_path),
            "set/link/outside": b"evil",
            "other/train.bin": b"evil",
            "set/train.bin": b"good",
        }
    )
    known = server.add("set.tar.gz", packed, ("set/train.bin",))
    monkeypatch.setitem(download._SETS, "set", (known,))
    folder = fetch("set", tmp_path / "root" / "inside")
    assert everything_in(tmp_path / "root") == ["inside", "inside/set", "inside/set/train.bin"]
    assert (folder / "train.bin").read_bytes() == b"good"
    assert not outside.exists()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"set/a": b"a"}, "found no set/b"),
        ({"set/a": b"a", "set/b": "/etc/passwd"}, "set/b is no file"),
    ],
)
def test_archives_without_what_is_wanted(server, monkeypatch, tmp_path, entries, words):
    known = server.add("set.tar.gz", archive(entries), ("set/a", "set/b"))
    monkeypatch.setitem(download._SETS, "set", (known,))
    with pytest.raises(ValueError, match=words):
        fetch("set", tmp_path)
    assert everything_in(tmp_path / "set") == ["a", "set.tar.gz"]


# ---------------------------------------------------------------------------- what is known


def test_the_sets():
    assert list(download._SETS) == ["mnist", "fashion_mnist", "cifar10", "cifar100"]
    files = [file for files in download._SETS.values() for file in files]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in files)
    assert len({file.sha256 for file in files}) == len({file.url for file in files}) == 10


def test_another_name():
    with pytest.raises(ValueError, match="fetch: 'imagenet' is not known, must be one of mnist, "):
        fetch("imagenet")


def test_without_pooch(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"fetch needs .* pip install 'cnnfast\[fetch\]'"):
        fetch("mnist", tmp_path)
