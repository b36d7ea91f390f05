"""Known data sets from where their authors publish them, with pooch (extra ``fetch``)."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple


class _Download(NamedTuple):
    """A file to download; of an archive, the members that are wanted and no others."""

    url: str
    sha256: str
    members: tuple[str, ...] = ()


_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"

# The sums are those that TensorFlow Datasets publishes for the same files (url_checksums/).
_SETS: dict[str, tuple[_Download, ...]] = {
    "mnist": (
        _Download(
            f"{_MNIST}train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _Download(
            f"{_MNIST}train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _Download(
            f"{_MNIST}t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _Download(
            f"{_MNIST}t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": (
        _Download(
            f"{_FASHION}train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _Download(
            f"{_FASHION}train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _Download(
            f"{_FASHION}t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _Download(
            f"{_FASHION}t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "cifar10": (
        _Download(
            f"{_CIFAR}cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            (
                *(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
                "cifar-10-batches-bin/test_batch.bin",
            ),
        ),
    ),
    "cifar100": (
        _Download(
            f"{_CIFAR}cifar-100-binary.tar.gz",
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ("cifar-100-binary/train.bin", "cifar-100-binary/test.bin"),
        ),
    ),
}


def fetch(name: str, root: str | os.PathLike[str] | None = None) -> Path:
    """Download a known data set, unless it is there already, and give its folder.

    Every download is checked against its SHA-256 before it gets its name, and archives are
    unpacked.

    Parameters
    ----------
    name : "mnist", "fashion_mnist", "cifar10" or "cifar100"
        12, 31, 170 and 169 MB to download.
    root : str or os.PathLike, optional
        Where to make the folder of this name; by default where the system keeps a program's cache
        (``~/.cache/cnnfast`` on Linux).

    Returns
    -------
    pathlib.Path
        The folder for `mnist` (which reads Fashion-MNIST too), `cifar10` or `cifar100`.

    Raises
    ------
    ValueError
        No such set is known, or what was downloaded is not what was published: nothing of it is
        kept.
    OSError
        It cannot be downloaded or written.
    ImportError
        pooch is missing.

    Examples
    --------
    >>> from cnnfast import data
    >>> dataset = data.cifar10(data.fetch("cifar10"))  # doctest: +SKIP
    """
    if name not in _SETS:
        raise ValueError(f"fetch: {name!r} is not known, must be one of {', '.join(_SETS)}")
    pooch = _pooch()
    folder = (Path(pooch.os_cache("cnnfast")) if root is None else Path(root)).resolve() / name
    for download in _SETS[name]:
        missing = [member for member in download.members if not _place(folder, member).is_file()]
        if download.members and not missing:
            continue
        path = _retrieve(pooch, download, folder)
        if download.members:
            _unpack(path, missing)
            path.unlink(missing_ok=True)
    return folder


def _retrieve(pooch: ModuleType, download: _Download, folder: Path) -> Path:
    shown = sys.stderr.isatty() and find_spec("tqdm") is not None
    name = PurePosixPath(download.url).name
    known_hash = f"sha256:{download.sha256}"
    try:
        return Path(pooch.retrieve(download.url, known_hash, name, folder, progressbar=shown))
    except ValueError as error:
        raise ValueError(f"fetch: {download.url}: {error}") from error
    except OSError as error:  # those of the library requests too
        raise OSError(f"fetch: {download.url}: {error}") from error


def _unpack(archive: Path, members: list[str]) -> None:
    """Take these files out of an archive, whole or not at all, and no others: paths may lie."""
    left = set(members)
    with TemporaryDirectory(dir=archive.parent) as unpacked, tarfile.open(archive) as tar:
        for entry in tar:
            if entry.name not in left:
                continue
            source = tar.extractfile(entry) if entry.isreg() else None
            if source is None:
                raise ValueError(f"fetch: {archive}: {entry.name} is no file")
            copy = _place(Path(unpacked), entry.name)
            with source, open(copy, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.replace(copy, _place(archive.parent, entry.name))
            left.remove(entry.name)
    if left:
        raise ValueError(f"fetch: {archive}: found no {', '.join(sorted(left))}")


def _place(folder: Path, member: str) -> Path:
    return folder / PurePosixPath(member).name


def _pooch() -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "fetch needs the library pooch: python -m pip install 'cnnfast[fetch]'"
        ) from error
    return pooch
