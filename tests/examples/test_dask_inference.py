"""The example of batch inference over a Dask array."""

import re
import threading

import numpy as np
import pytest

import cnnfast
from cnnfast import models
from tests.helpers import read_only, using_threads

pytest.importorskip("dask.array")

import dask.array as da

from examples import dask_inference
from examples.dask_inference import one_thread_each, scores_of


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((50, 3, 16, 16), np.float32)


@pytest.fixture(scope="module")
def model():
    return models.cifar_resnet20(7, rng=np.random.default_rng(1))


@pytest.mark.parametrize("chunks", [(20, 3, 16, 16), (50, 1, 8, 16), ((7, 43), 3, 16, 16)])
def test_each_block_gets_the_scores_of_its_images(model, images, chunks):
    scores = scores_of(model, da.from_array(read_only(images), chunks=chunks))
    assert scores.shape == (50, 7)
    assert scores.dtype == np.float32
    got = scores.compute(scheduler="threads", num_workers=3)
    ends = np.cumsum(scores.chunks[0])[:-1]
    expected = np.concatenate([model(block) for block in np.split(images, ends)])
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(scores[10:12].compute(), got[10:12])


def test_nothing_is_computed_before_it_is_asked_for(model, images):
    blocks = []

    def watched(x):
        blocks.append(len(x))
        return model(x)

    scores = scores_of(watched, da.from_array(images, chunks=(10, 3, 16, 16)))
    assert blocks == [1]  # to see how many classes there are
    scores[:20].compute(scheduler="threads")
    assert blocks == [1, 10, 10]


def test_threads_are_dasks_alone(model, images):
    seen = set()
    meeting = threading.Barrier(2)  # which only two threads at once can pass

    def watched(x):
        if len(x) > 1:
            meeting.wait(timeout=60)
            seen.add((threading.get_ident(), cnnfast.get_num_threads()))
        return model(x)

    scores = scores_of(watched, da.from_array(images, chunks=(25, 3, 16, 16)))
    with using_threads(3):
        with one_thread_each():
            scores.compute(scheduler="threads", num_workers=2)
        assert cnnfast.get_num_threads() == 3
    assert len(seen) == 2
    assert {count for _, count in seen} == {1}


def test_threads_come_back_after_an_error():
    with using_threads(2):
        with pytest.raises(KeyError), one_thread_each():
            raise KeyError
        assert cnnfast.get_num_threads() == 2


def test_digits(capsys):
    dask_inference.main(["--epochs", "2", "--workers", "2", "--block", "300"])
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"1000 images in 4 blocks, [\d,]+ images/s", first)
    assert float(re.fullmatch(r"right: ([\d.]+)%", second)[1]) > 90


def test_files_of_images_and_weights(tmp_path, model, images, capsys):
    np.save(tmp_path / "images.npy", images)
    cnnfast.save_weights(model.state_dict(), tmp_path / "weights.npz")
    dask_inference.main(
        [
            *("--model", "cifar_resnet20", "--weights", str(tmp_path / "weights.npz")),
            *("--images", str(tmp_path / "images.npy"), "--block", "16"),
        ]
    )
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("50 images in 4 blocks, ")
    counts = np.bincount(model(images).argmax(1)).tolist()
    assert second == f"images of each class: {counts}"
