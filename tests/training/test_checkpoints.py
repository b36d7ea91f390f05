"""Checkpoints: what goes on from one is the run that was never interrupted, to the bit."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from cnnfast import nn, optim
from cnnfast.io import load_weights
from cnnfast.training import Callback, Checkpoints, EarlyStopping, History, Trainer
from tests.helpers import CHECKOUT
from tests.training.runs import (
    EPOCHS,
    STEPS,
    batches,
    make_trainer,
    network,
    run,
    validation_batches,
)

LAST = EPOCHS * STEPS


class StopError(Exception):
    pass


class StopsAt(Callback):
    """Ends a run after a step, as if the process had died there."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, trainer):
        if trainer.step == self.step:
            raise StopError


@pytest.fixture(scope="module")
def whole():
    return run()


def assert_same_run(trainer, other):
    for name, array in other.model.state_dict().items():
        assert trainer.model.state_dict()[name].tobytes() == array.tobytes(), name
    for name, value in other.optimizer.state_dict().items():
        np.testing.assert_array_equal(trainer.optimizer.state_dict()[name], value)
    for column in set(trainer.history) - {"seconds"}:
        assert trainer.history[column].tolist() == other.history[column].tolist(), column


def names(folder):
    return [path.name for path in Checkpoints(folder).paths()]


def interrupted(folder, step, **settings):
    with pytest.raises(StopError):
        run(folder, StopsAt(step), **settings)


# ---------------------------------------------------------------------------- going on


@pytest.mark.parametrize("step", [1, 2, STEPS, STEPS + 1, LAST - 2, LAST])
@pytest.mark.parametrize("every", [1, 2, None])
def test_going_on_is_never_having_stopped(step, every, whole, tmp_path):
    interrupted(tmp_path, step, every_steps=every)
    assert_same_run(run(tmp_path, every_steps=every), whole)


def test_many_interruptions(whole, tmp_path):
    for step in (1, 3, 4, 5, 9, 11, 14):
        interrupted(tmp_path, step, every_steps=1)
    assert_same_run(run(tmp_path), whole)


def test_other_workers(whole, tmp_path):
    interrupted(tmp_path, 8)
    assert_same_run(run(tmp_path, train=batches(workers=2)), whole)


def test_batches_that_are_the_same_every_time(tmp_path):
    fixed = list(batches())
    expected = run(train=fixed)
    interrupted(tmp_path, 8, train=fixed, every_steps=1)
    assert_same_run(run(tmp_path, train=fixed), expected)


def test_a_complete_run_stays_as_it_is(whole, tmp_path):
    run(tmp_path)
    seen = []

    class Steps(Callback):
        def on_step_end(self, trainer):
            seen.append(trainer.step)

    assert_same_run(run(tmp_path, Steps()), whole)
    assert seen == []


def test_more_epochs_than_at_first(tmp_path):
    run(tmp_path)
    again = run(tmp_path, epochs=EPOCHS + 1)
    assert again.history["epoch"].tolist() == [1, 2, 3, 4]
    assert again.step == LAST + STEPS


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    class Enough(Callback):
        def on_epoch_end(self, trainer):
            if trainer.epoch == 2:
                trainer.stop("enough")

    assert run(tmp_path, Enough()).history.epochs == 2
    again = run(tmp_path, Enough())
    assert (again.history.epochs, again.stopped) == (2, "enough")


def test_more_patience(tmp_path):
    """It goes on to where it would have come with that patience from the first."""

    def fit(folder, patience):
        stopping = EarlyStopping(patience=patience, min_delta=9)  # nothing is as much better
        trainer = make_trainer(folder, epochs=6)
        trainer.callbacks = [*trainer.callbacks[:1], stopping]
        trainer.fit(batches(), validation_batches(), 6, resume=True)
        return trainer

    first = fit(tmp_path / "a", patience=0)
    assert (first.history.epochs, first.stopped[-12:]) == (2, " for 1 epoch")
    assert fit(tmp_path / "a", patience=0).history.epochs == 2
    again = fit(tmp_path / "a", patience=2)
    assert (again.history.epochs, again.stopped[-13:]) == (4, " for 3 epochs")
    assert_same_run(again, fit(tmp_path / "b", patience=2))


def test_without_safetensors(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        interrupted(tmp_path, 8)
    newest = Checkpoints(tmp_path).paths()[-1]
    assert load_weights(newest / "weights.npz")["fc.weight"].shape == (10, 128)
    assert_same_run(run(tmp_path), whole)


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_of_other_kinds(kind, tmp_path):
    def model():
        made = network()
        made.drop.rng = np.random.Generator(kind(3))
        return made

    expected = run(model=model())
    interrupted(tmp_path, 8, model=model())
    assert_same_run(run(tmp_path, model=model()), expected)


# ---------------------------------------------------------------------------- what is written


def test_what_is_in_a_checkpoint(whole, tmp_path):
    trainer = run(tmp_path)
    newest = tmp_path / f"epoch-{EPOCHS:04}-step-{LAST:08}"
    assert sorted(path.name for path in newest.iterdir()) == [
        "SHA256SUMS",
        "optimizer.safetensors",
        "state.json",
        "weights.safetensors",
    ]
    weights = load_weights(newest / "weights.safetensors")
    assert set(weights) == set(trainer.model.state_dict())
    np.testing.assert_array_equal(weights["fc.weight"], whole.model.fc.weight.data)
    state = json.loads((newest / "state.json").read_text())
    assert state["train"]["position"] == 0
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=newest, check=True)


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    losses = [5.0, 2.0, 3.0, 2.0, 4.0, 6.0]

    class Course:
        """Losses: after each of the two steps of training comes one of validation."""

        def __init__(self):
            self.coming = iter([loss for x in losses for loss in (9.0, 9.0, x)])

        def __call__(self, scores, labels):
            return next(self.coming), np.zeros_like(scores)

    model = nn.Linear(1, 2)
    batch = (np.ones((1, 1), np.float32), np.array([0]))
    checkpoints = Checkpoints(tmp_path, keep=2, every_steps=1)
    optimizer = optim.SGD(model.parameters())
    Trainer(model, optimizer, Course(), checkpoints=checkpoints).fit(
        [batch, batch], [batch], epochs=6
    )
    expected = ["epoch-0002-step-00000004", "epoch-0005-step-00000012", "epoch-0006-step-00000012"]
    assert names(tmp_path) == expected
    assert checkpoints.best().name == expected[0]
    assert Checkpoints(tmp_path, monitor="train_loss").best().name == expected[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_no_best_without_validation(tmp_path):
    model = nn.Linear(1, 2)
    trainer = Trainer(
        model, optim.SGD(model.parameters()), nn.CrossEntropyLoss(), checkpoints=tmp_path
    )
    trainer.fit([(np.ones((1, 1), np.float32), np.array([0]))], epochs=5)
    assert trainer.checkpoints.best() is None
    assert len(names(tmp_path)) == 3
    assert Checkpoints(tmp_path, monitor="train_loss").best().name == "epoch-0005-step-00000005"


def test_remains_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".epoch-0001-step-00000001.0123abcd.tmp").mkdir()
    (tmp_path / ".epoch-0001-step-00000001.0123abcd.tmp" / "weights.safetensors").touch()
    (tmp_path / ".history.csv.01234567.tmp").touch()
    (tmp_path / ".mine.tmp").touch()
    run(tmp_path)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("epoch")] == [".mine.tmp"]


# ---------------------------------------------------------------------------- trouble


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("weights.safetensors", truncate),
        ("weights.safetensors", flip),
        ("optimizer.safetensors", Path.unlink),
        ("state.json", truncate),
        ("SHA256SUMS", truncate),
        ("SHA256SUMS", Path.unlink),
    ],
)
def test_of_a_torn_file_the_checkpoint_before_is_used(spoil, file, whole, tmp_path):
    interrupted(tmp_path, 8)
    newest = Checkpoints(tmp_path).paths()[-1]
    spoil(newest / file)
    with pytest.warns(UserWarning, match=f"checkpoint .*{newest.name} is damaged: .*{file[:8]}"):
        trainer = run(tmp_path)
    assert_same_run(trainer, whole)
    assert (tmp_path / f"{newest.name}.damaged").is_dir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tmp_path)


def test_all_torn(tmp_path):
    interrupted(tmp_path, 8)
    for path in Checkpoints(tmp_path).paths():
        (path / "state.json").unlink()
    for _ in range(2):  # it does not begin anew over what may be mended
        with (
            pytest.warns(UserWarning, match="is damaged"),
            pytest.raises(ValueError, match=r"every checkpoint is damaged\n  .*json is missing"),
        ):
            run(tmp_path)


class Torn:
    """A transform that fails at one of its calls, as a file that cannot be read would."""

    def __init__(self, transform, call):
        self.transform, self.calls, self.call = transform, 0, call

    def __call__(self, images, rng):
        self.calls += 1
        if self.calls == self.call:
            raise ValueError("torn")
        return self.transform(images, rng)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("part", "call", "place"),
    [
        ("train", 9, "epoch-0001-step-00000008"),
        ("train", 11, "epoch-0002-step-00000010"),
        # Six calls an epoch: for three batches of 100, in groups of 64 and 36.
        ("validation", 7, "epoch-0001-step-00000010"),
        ("validation", 9, "epoch-0001-step-00000010"),
    ],
)
def test_a_batch_that_cannot_be_had(part, call, place, workers, whole, tmp_path):
    given = {"train": batches(workers=workers), "validation": validation_batches(workers=workers)}
    given[part].transform = Torn(given[part].transform, call)
    with pytest.raises(ValueError, match="torn"):
        run(tmp_path, every_steps=None, **given)
    assert names(tmp_path)[-1] == place
    assert_same_run(run(tmp_path), whole)


def test_the_first_batch_cannot_be_had(tmp_path):
    train = batches()
    train.transform = Torn(train.transform, 1)
    with pytest.raises(ValueError, match="torn"):
        run(tmp_path, train=train)
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", [0, 1, 5, 12])
def test_a_full_disk(call, whole, tmp_path, monkeypatch):
    interrupted(tmp_path, 7)
    before = names(tmp_path)
    calls = iter(range(call))
    fsync = os.fsync

    def full(descriptor):
        if next(calls, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            run(tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert "checkpoint not written; the last one is " in caught.value.strerror
    assert names(tmp_path)[-1] >= before[-1]
    assert not list(tmp_path.glob(".*"))
    assert_same_run(run(tmp_path), whole)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    trainer = run(tmp_path)
    before = names(tmp_path)
    with trainer.model.fc.weight.writable() as values:
        values[0, 0] = np.inf
    trainer.step += 1
    with pytest.raises(FloatingPointError, match=r"Checkpoints.save: fc\.weight is not finite"):
        trainer.checkpoints.save(trainer)
    assert names(tmp_path) == before


def test_a_folder_in_use_is_not_overwritten(tmp_path):
    interrupted(tmp_path, 5)
    before = names(tmp_path)
    with pytest.raises(ValueError, match="has checkpoints of an earlier run: go on with resume=Tr"):
        make_trainer(tmp_path).fit(batches(), epochs=1)
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("width", r"a checkpoint of another network: .*\n.*shape: conv\.weight is \(8, 1, 3, 3\)"),
        ("names", r"a checkpoint of another network: .*\n.*missing: second\.weight"),
        ("optimizer", r"of another run: its optimizer is Adam, now it is SGD"),
        ("schedule", r"of another run: its schedule is SequentialLR, now it is none"),
        ("dropout", r"of another run: other layers have random generators"),
        ("images", r"of another run: .*images 160, this loader has 128"),
    ],
)
def test_a_checkpoint_of_something_else(change, words, tmp_path):
    interrupted(tmp_path, 8)
    before = {path.name for path in tmp_path.iterdir()}
    model = network(width=4 if change == "width" else 8)
    if change == "names":
        model.second = nn.Linear(10, 10)
    if change == "dropout":
        model.drop = nn.ReLU()
    trainer = make_trainer(tmp_path, model=model)
    if change == "optimizer":
        trainer.optimizer = optim.SGD(model.parameters())
    if change == "schedule":
        trainer.schedule = None
    with pytest.raises(ValueError, match=words):
        trainer.fit(batches(128 if change == "images" else 160), epochs=EPOCHS, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_bad_arguments(tmp_path):
    for name in ("keep", "every_steps"):
        with pytest.raises(ValueError, match=f"Checkpoints: {name} must be at least 1, got 0"):
            Checkpoints(tmp_path, **{name: 0})
    with pytest.raises(ValueError, match="Checkpoints: monitor must be one of"):
        Checkpoints(tmp_path, monitor="lr")


# ---------------------------------------------------------------------------- ctrl-C, SIGKILL


def test_ctrl_c_saves_and_the_run_goes_on(whole, tmp_path):
    class PressesCtrlC(Callback):
        def on_backward_end(self, trainer):
            if trainer.step == 7:
                signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"after step 8, saved in .*epoch-0001-step-0"):
            run(tmp_path, PressesCtrlC(), every_steps=None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(tmp_path)[-1] == "epoch-0001-step-00000008"
    assert_same_run(run(tmp_path), whole)


@pytest.mark.parametrize("last", [1, 3])
def test_ctrl_c_in_a_validation(last, whole, tmp_path):
    class PressesCtrlC(Callback):
        def on_validation_step(self, trainer):
            if trainer.epoch == 2 and trainer.validated.batches == last:
                signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"after step 10, saved in .*epoch-0001-step-0"):
            run(tmp_path, PressesCtrlC(), every_steps=None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(tmp_path)[-1] == "epoch-0001-step-00000010"
    assert_same_run(run(tmp_path), whole)


def kill(folder, epochs, kills, timeout):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.runs", str(folder), str(epochs), str(kills)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    complete, killed = map(int, done.stdout.split())
    assert killed >= kills
    expected = load_weights(folder / "reference" / "final.npz")
    history = History.load(folder / "reference" / "history.csv")
    for number in range(1, complete + 1):
        weights = load_weights(folder / f"run-{number}" / "final.npz")
        assert set(weights) == set(expected)
        for name, array in expected.items():
            assert weights[name].tobytes() == array.tobytes(), (number, name)
        again = History.load(folder / f"run-{number}" / "history.csv")
        for column in set(history) - {"seconds"}:
            assert again[column].tolist() == history[column].tolist(), (number, column)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


@needs_fork
def test_killed_at_random_moments(tmp_path):
    kill(tmp_path, EPOCHS, kills=12, timeout=300)


@needs_fork
@pytest.mark.slow
def test_killed_at_many_random_moments(tmp_path):
    kill(tmp_path, 3 * EPOCHS, kills=300, timeout=1800)
