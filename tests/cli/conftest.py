"""Fixtures of the command line's tests."""

import gzip
import signal

import numpy as np
import pytest

from cnnfast import data
from cnnfast.cli import learning
from tests.cli.commands import PressesCtrlC
from tests.data.test_idx import encode
from tests.data.test_mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from tests.helpers import CHECKOUT


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Give a folder with an MNIST of 200 and 50 images."""
    folder = tmp_path_factory.mktemp("mnist")
    images, labels, test_images, test_labels = data.digits()
    for name, array in {
        TRAIN_IMAGES: (images[:200, 0] * 255).round().astype(np.uint8),
        TRAIN_LABELS: labels[:200].astype(np.uint8),
        TEST_IMAGES: (test_images[:50, 0] * 255).round().astype(np.uint8),
        TEST_LABELS: test_labels[:50].astype(np.uint8),
    }.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(encode(array)))
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty folder: what a command leaves in the current one is seen there."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checkout_on_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))


@pytest.fixture
def ctrl_c(monkeypatch):
    """Have ctrl-C pressed in the fifth step of a run of four steps an epoch."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        patch.setattr(learning, "EpochLines", lambda: PressesCtrlC(5))
        yield patch
    signal.signal(signal.SIGINT, before)
