"""Event files, read back record by record."""

from __future__ import annotations

import errno
import os
import struct
import sys

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from cnnfast import nn, optim
from cnnfast.training import Callback, TensorBoard, Trainer


def records(path):
    """The records of a TFRecord file: length, its checksum, content, its checksum."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack_from("<Q", content)
        (checksum,) = struct.unpack_from("<I", content, 12 + length)
        data = content[12 : 12 + length]
        assert len(data) == length
        assert checksum == masked_crc32c(data)
        yield data
        content = content[16 + length :]


def masked_crc32c(data):
    """Castagnoli's CRC bit by bit, turned and shifted as TensorFlow does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(folder):
    for path in sorted(folder.iterdir()):
        yield from map(Event.FromString, records(path))


def values(folder, tag):
    """Step and value of each scalar with a tag."""
    return [
        (event.step, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
        if value.tag == tag
    ]


def tags(folder):
    return {value.tag for event in events(folder) for value in event.summary.value}


def a_run(*callbacks, **options):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((32, 4))
    batches = [(images[:16], np.arange(16) % 3), (images[16:], np.arange(16) % 3)]
    model = nn.Sequential({"fc": nn.Linear(4, 3, rng=rng, dtype=np.float64)})
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.StepLR(optimizer, 1, gamma=0.5)
    return (
        Trainer(
            model,
            optimizer,
            nn.CrossEntropyLoss(),
            schedule=schedule,
            callbacks=callbacks,
            progress=False,
            **options,
        ),
        batches,
    )


def test_curves(tmp_path):
    trainer, batches = a_run(TensorBoard(tmp_path / "run"))
    history = trainer.fit(batches, batches, epochs=3)
    for tag, column in {
        "loss/train": "train_loss",
        "loss/validation": "validation_loss",
        "accuracy/train": "train_accuracy",
        "accuracy/validation": "validation_accuracy",
    }.items():
        steps, found = zip(*values(tmp_path / "run", tag), strict=True)
        assert steps == (1, 2, 3)
        np.testing.assert_allclose(found, history[column], rtol=1e-6)
    rates = [rate for _, rate in values(tmp_path / "run", "learning_rate")]
    assert rates == pytest.approx([0.1, 0.05, 0.025])


def test_what_is_not_measured_is_left_out(tmp_path):
    trainer, batches = a_run(TensorBoard(tmp_path))
    trainer.fit(batches, epochs=1)
    assert tags(tmp_path) == {"loss/train", "accuracy/train", "learning_rate"}


def test_histograms(tmp_path):
    trainer, batches = a_run(TensorBoard(tmp_path, histograms=True))
    trainer.fit(batches, epochs=2)
    found = [
        (event.step, value.histo)
        for event in events(tmp_path)
        for value in event.summary.value
        if value.tag == "fc.weight"
    ]
    assert [step for step, _ in found] == [1, 2]
    weights, histogram = trainer.model.fc.weight.data, found[-1][1]
    assert histogram.num == sum(histogram.bucket) == weights.size
    assert (histogram.min, histogram.max) == (weights.min(), weights.max())
    assert histogram.sum == pytest.approx(weights.sum())
    below = sum(
        n for n, limit in zip(histogram.bucket, histogram.bucket_limit, strict=True) if limit <= 0
    )
    assert below == pytest.approx((weights < 0).sum(), abs=1)
    assert "fc.bias" in tags(tmp_path)


class Reads(Callback):
    """Looks at what is on the disk, as TensorBoard does while training goes on."""

    def __init__(self, folder):
        self.folder, self.found = folder, []

    def on_epoch_end(self, trainer):
        self.found.append(len(values(self.folder, "loss/train")))


def test_an_epoch_can_be_seen_when_it_is_over(tmp_path):
    reads = Reads(tmp_path)
    trainer, batches = a_run(TensorBoard(tmp_path), reads)
    trainer.fit(batches, epochs=3)
    assert reads.found == [1, 2, 3]


class Fails(Callback):
    def on_epoch_end(self, trainer):
        if trainer.epoch == 2:
            raise RuntimeError("the lights went out")


def test_what_there_was_is_there_after_an_error(tmp_path):
    trainer, batches = a_run(TensorBoard(tmp_path), Fails())
    with pytest.raises(RuntimeError, match="the lights went out"):
        trainer.fit(batches, epochs=5)
    assert [step for step, _ in values(tmp_path, "loss/train")] == [1, 2]


def test_epochs_that_are_repeated_replace_what_there_was(tmp_path):
    """Those after the checkpoint: TensorBoard discards what a START of the same step follows."""
    folder, checkpoints = tmp_path / "run", tmp_path / "checkpoints"
    trainer, batches = a_run(TensorBoard(folder), Fails(), checkpoints=checkpoints)
    with pytest.raises(RuntimeError, match="the lights went out"):
        trainer.fit(batches, epochs=3)
    (first,) = folder.iterdir()
    trainer, batches = a_run(TensorBoard(folder), checkpoints=checkpoints)
    trainer.fit(batches, epochs=3, resume=True)
    (second,) = set(folder.iterdir()) - {first}
    found = list(map(Event.FromString, records(second)))
    logs = [(e.step, e.session_log.status) for e in found if e.HasField("session_log")]
    assert logs == [(2, SessionLog.START)]
    assert [e.step for e in found if any(v.tag == "loss/train" for v in e.summary.value)] == [2, 3]


def test_a_folder_that_cannot_be(tmp_path):
    tmp_path.joinpath("file").touch()
    trainer, batches = a_run(TensorBoard(tmp_path / "file" / "run"))
    with pytest.raises(OSError, match="file"):
        trainer.fit(batches)


def test_a_full_disk_ends_training(tmp_path, monkeypatch):
    def full(descriptor):
        monkeypatch.undo()  # so that the file can be closed
        raise OSError(errno.ENOSPC, "No space left on device")

    trainer, batches = a_run(TensorBoard(tmp_path))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        trainer.fit(batches, epochs=100)


def test_without_tensorboardx(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"python -m pip install 'cnnfast\[tensorboard\]'"):
        TensorBoard("run")
