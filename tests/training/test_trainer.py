"""The trainer: the steps it takes, what it records, calls and refuses."""

import math
import signal
import time

import numpy as np
import pytest

from cnnfast import data, models, nn, optim
from cnnfast.training import Callback, EarlyStopping, History, Trainer, evaluate, validate
from tests.helpers import run_python


@pytest.fixture(scope="module")
def digits():
    images, labels, *_ = data.digits()
    return images[:96], labels[:96]


def lenet(lr=0.05, seed=0):
    model = models.lenet5(rng=np.random.default_rng(seed))
    return model, optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def loader(digits, seed=0):
    return data.DataLoader(*digits, batch_size=32, shuffle=True, seed=seed)


def point(values=(1.0, -2.0)):
    """A network whose scores are its two weights times the image's one element."""
    model = nn.Linear(1, 2, bias=False, dtype=np.float64)
    model.load_state_dict({"weight": np.array(values)[:, None]})
    return model, optim.SGD(model.parameters(), lr=0.1)


class Recorder(Callback):
    """Notes what it is called for, and where the trainer is by then."""

    def __init__(self):
        self.calls = []

    def _note(self, name, trainer):
        self.calls.append((name, trainer.epoch, trainer.step, trainer.history.epochs))

    def on_fit_begin(self, trainer):
        self._note("fit begins", trainer)

    def on_backward_end(self, trainer):
        assert all(p.grad is not None for p in trainer.model.parameters())
        self._note("backward", trainer)

    def on_step_end(self, trainer):
        self._note("step", trainer)

    def on_validation_step(self, trainer):
        self._note("validation", trainer)

    def on_epoch_end(self, trainer):
        self._note("epoch", trainer)

    def on_fit_end(self, trainer):
        self._note("fit ends", trainer)


def test_the_steps_are_those_written_out(digits):
    model, optimizer = lenet()
    schedule = optim.LinearLR(optimizer, 0.5, total_iters=4)
    trainer = Trainer(
        model, optimizer, nn.CrossEntropyLoss(), schedule=schedule, schedule_every="step",
        clip_norm=0.7, clip_value=0.02,
    )  # fmt: skip
    history = trainer.fit(loader(digits), loader(digits, seed=1), epochs=2)

    other, optimizer = lenet()
    criterion = nn.CrossEntropyLoss()
    batches, rates, losses, right = loader(digits), [], [], 0
    for _ in range(2):
        for images, labels in batches:
            optimizer.lr = 0.05 * min(1, 0.5 + 0.125 * len(rates))
            rates.append(optimizer.lr)
            scores, backward = other.forward(images)
            loss, gradient = criterion(scores, labels)
            losses.append(loss)
            right += (scores.argmax(axis=1) == labels).sum() if len(rates) > 3 else 0
            backward(gradient)
            norm = math.sqrt(sum((p.grad.astype(float) ** 2).sum() for p in other.parameters()))
            for p in other.parameters():
                clipped = p.grad * min(1, 0.7 / norm)
                p.grad = np.clip(clipped, -0.02, 0.02)
            optimizer.step()
            optimizer.zero_grad()
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(mine.data, theirs.data, rtol=1e-4, atol=1e-6)

    assert history["epoch"].tolist() == [1, 2]
    assert history["step"].tolist() == [3, 6]
    assert history["images"].tolist() == [96, 96]
    np.testing.assert_allclose(history["lr"], [rates[2], rates[5]])
    means = [np.mean(losses[:3]), np.mean(losses[3:])]
    np.testing.assert_allclose(history["train_loss"], means, rtol=1e-4)
    assert history["train_accuracy"][1] == pytest.approx(right / 96)
    assert history["validation_accuracy"][1] == pytest.approx(evaluate(model, *digits))
    loss, _ = criterion(model(digits[0]), digits[1])
    assert history["validation_loss"][1] == pytest.approx(loss, rel=1e-5)
    assert (history["seconds"] > 0).all()


def test_callbacks_are_called_in_this_order():
    model, optimizer = point()
    first, second = Recorder(), Recorder()
    batches = [(np.ones((2, 1)), np.array([0, 1]))] * 2
    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), callbacks=[first, second])
    trainer.fit(batches, batches[1:], epochs=2)
    assert first.calls == second.calls
    assert first.calls == [
        ("fit begins", 0, 0, 0),
        ("backward", 1, 0, 0),
        ("step", 1, 1, 0),
        ("backward", 1, 1, 0),
        ("step", 1, 2, 0),
        ("validation", 1, 2, 0),
        ("epoch", 1, 2, 1),
        ("backward", 2, 2, 1),
        ("step", 2, 3, 1),
        ("backward", 2, 3, 1),
        ("step", 2, 4, 1),
        ("validation", 2, 4, 1),
        ("epoch", 2, 4, 2),
        ("fit ends", 2, 4, 2),
    ]


@pytest.mark.parametrize("where", ["on_fit_begin", "on_step_end", "on_epoch_end"])
def test_what_a_callback_raises_ends_training(where):
    recorder = Recorder()

    class Failing(Callback):
        pass

    def fail(self, trainer):
        raise RuntimeError("enough")

    setattr(Failing, where, fail)
    trainer = Trainer(*point(), nn.CrossEntropyLoss(), callbacks=[recorder, Failing()])
    with pytest.raises(RuntimeError, match="enough"):
        trainer.fit([(np.ones((2, 1)), np.array([0, 1]))])
    assert recorder.calls[-1][0] == "fit ends"


def test_each_fit_starts_anew():
    trainer = Trainer(*point(), nn.CrossEntropyLoss())
    batches = [(np.ones((2, 1)), np.array([0, 1]))]
    first = trainer.fit(batches, epochs=3)
    second = trainer.fit(batches, epochs=2)
    assert (first.epochs, second.epochs, trainer.step) == (3, 2, 2)
    assert second["train_loss"][0] < first["train_loss"][0]


def test_regression_has_no_accuracy():
    model = nn.Linear(1, 1, dtype=np.float64)
    trainer = Trainer(model, optim.SGD(model.parameters(), 0.1), nn.MSELoss())
    batches = [(np.ones((4, 1)), np.full((4, 1), 3.0))]
    history = trainer.fit(batches, batches, epochs=20)
    assert history["validation_loss"][-1] < 0.01 * history["validation_loss"][0]
    assert np.isnan(history["train_accuracy"]).all()
    assert np.isnan(history["validation_accuracy"]).all()


def test_accuracy_of_maps_is_that_of_their_pixels():
    scores = np.zeros((2, 3, 1, 2))
    scores[:, 1] = 1
    labels = np.array([[[1, 1]], [[1, 0]]])
    assert validate(nn.Dropout(), [(scores, labels)], nn.CrossEntropyLoss()).accuracy == 0.75


# ---------------------------------------------------------------------------- schedules, stopping


class Losses:
    """A criterion that gives these losses to validation, and no gradient."""

    def __init__(self, losses):
        self.losses = iter(losses)

    def __call__(self, scores, labels):
        # Training asks for every other one.
        return next(self.losses), np.zeros_like(scores)


def course(losses):
    return Losses([loss for x in losses for loss in (9.0, x)])


BATCH = [(np.ones((1, 1)), np.array([0]))]


def test_schedules_by_epoch():
    model, optimizer = point()
    schedule = optim.StepLR(optimizer, 2)
    history = Trainer(model, optimizer, nn.CrossEntropyLoss(), schedule=schedule).fit(
        BATCH * 3, epochs=5
    )
    np.testing.assert_allclose(history["lr"], [0.1, 0.1, 0.01, 0.01, 0.001])


def test_a_plateau_is_one_of_the_validation():
    model, optimizer = point()
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0)
    trainer = Trainer(model, optimizer, course([3, 2, 2, 1, 1, 0]), schedule=schedule)
    history = trainer.fit(BATCH, BATCH, epochs=6)
    np.testing.assert_allclose(history["lr"], [0.1, 0.1, 0.1, 0.01, 0.01, 0.001])


def test_a_plateau_without_validation_and_of_the_accuracy():
    model, optimizer = point()
    schedule = optim.ReduceLROnPlateau(optimizer, "max", patience=0)
    trainer = Trainer(model, optimizer, Losses([3.0, 2.0, 1.0]), schedule=schedule)
    history = trainer.fit(BATCH, epochs=3)
    np.testing.assert_allclose(history["lr"], [0.1, 0.1, 0.01])


def test_early_stopping():
    losses = [3, 2, 1.95, 2.5, 1, 0.99, 0.98, 0.97, 0.96]
    stopping = EarlyStopping(patience=2, min_delta=0.1)
    trainer = Trainer(*point(), course(losses), callbacks=[stopping])
    history = trainer.fit(BATCH, BATCH, epochs=20)
    assert history["validation_loss"].tolist() == losses[:8]
    assert trainer.stopped == "validation_loss has not been better than 1 for 3 epochs"
    assert stopping.best == 1


def test_early_stopping_by_accuracy():
    stopping = EarlyStopping("train_accuracy", patience=0)
    trainer = Trainer(*point(), Losses([1.0] * 9), callbacks=[stopping])
    assert trainer.fit(BATCH, epochs=9).epochs == 2
    assert stopping.best == 1.0


def test_early_stopping_needs_a_figure():
    trainer = Trainer(*point(), nn.CrossEntropyLoss(), callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match="validation_loss is nan after epoch 1; give fit valid"):
        trainer.fit(BATCH, epochs=2)
    with pytest.raises(ValueError, match=r"monitor must be one of train_loss, .* got 'loss'"):
        EarlyStopping("loss")
    with pytest.raises(ValueError, match="patience must be at least 0"):
        EarlyStopping(patience=-1)


# ---------------------------------------------------------------------------- not finite


def small_network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        {
            "conv": nn.Conv2d(1, 4, 3, rng=rng),
            "norm": nn.BatchNorm2d(4),
            "relu": nn.ReLU(),
            "drop": nn.Dropout(0.5, rng=rng),
            "block": nn.Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, rng=rng))),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(4 * 6 * 6, 2, rng=rng),
        }
    )


def moment(model):
    state = {name: array.tobytes() for name, array in model.state_dict().items()}
    return state, model.drop.rng.bit_generator.state


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("conv", r"the loss is (nan|inf), first of all the output of layer conv \(Conv2d\)"),
        ("block.body.0", r"first of all the output of layer block\.body\.0 \(Conv2d\)"),
        ("fc", r"first of all the output of layer fc \(Linear\)"),
        ("weight", r"first of all conv\.weight, before the step"),
        ("images", r"first of all the images of the batch"),
        ("loss", r"the loss is nan; the parameters are"),
        ("gradient", r"the gradient of conv\.weight is not finite; the parameters are"),
    ],
)
def test_what_is_not_finite_is_named_and_changes_nothing(spoil, words):
    rng = np.random.default_rng(0)
    model = small_network()
    optimizer = optim.SGD(model.parameters(), 0.01, momentum=0.9)
    batches = [(rng.random((4, 1, 8, 8), np.float32), rng.integers(0, 2, 4)) for _ in range(5)]
    criterion = nn.CrossEntropyLoss()
    seen = []

    class Spoiling(Callback):
        """Spoils the third step of the second epoch."""

        def on_backward_end(self, trainer):
            if trainer.step == 7 and spoil == "gradient":
                trainer.model.conv.weight.grad[0, 0, 1, 1] = np.inf

        def on_step_end(self, trainer):
            if trainer.step != 7:
                return
            if spoil == "weight":
                with model.conv.weight.writable() as values:
                    values[0, 0, 0, 0] = np.nan
            elif spoil == "images":
                batches[2][0][1] = np.inf
            elif spoil not in ("loss", "gradient"):
                layer = dict(model.named_modules())[spoil]
                with layer.weight.writable() as values:
                    values[...] = 3e38
            seen.append(moment(model))

    def losing(scores, labels):
        loss, gradient = criterion(scores, labels)
        return (math.nan if spoil == "loss" and trainer.step == 7 else loss), gradient

    trainer = Trainer(model, optimizer, losing, callbacks=[Spoiling()])
    with pytest.raises(FloatingPointError, match=words) as caught:
        trainer.fit(batches, epochs=3)
    assert "Trainer.fit: epoch 2, step 8: train_epoch: batch 3: " in str(caught.value)
    assert moment(model) == seen[0]
    assert all(p.grad is None for p in model.parameters())


# ---------------------------------------------------------------------------- misuse, interruption


def test_batches_that_come_only_once():
    trainer = Trainer(*point(), nn.CrossEntropyLoss())
    with pytest.raises(ValueError, match="train gave no images in epoch 2"):
        trainer.fit(iter(BATCH), epochs=2)
    with pytest.raises(ValueError, match="train gave no images in epoch 1"):
        trainer.fit([])
    with pytest.raises(ValueError, match="validation gave no images in epoch 2"):
        trainer.fit(BATCH, iter(BATCH), epochs=2)


def test_bad_arguments():
    model, optimizer = point()
    criterion = nn.CrossEntropyLoss()
    other = optim.StepLR(point()[1], 1)
    plateau = optim.ReduceLROnPlateau(optimizer)
    for arguments, words in (
        ({"schedule": other}, "schedule must be one of the optimizer"),
        ({"schedule_every": "batch"}, 'schedule_every must be "epoch" or "step", got \'batch\''),
        ({"schedule": plateau, "schedule_every": "step"}, "a plateau can only be seen"),
        ({"clip_norm": -1}, "clip_norm must be at least 0, got -1"),
        ({"clip_value": math.nan}, "clip_value must be at least 0, got nan"),
    ):
        with pytest.raises(ValueError, match=words):
            Trainer(model, optimizer, criterion, **arguments)
    with pytest.raises(TypeError, match=r"callbacks\[1\] must be a Callback, got 3"):
        Trainer(model, optimizer, criterion, callbacks=[Callback(), 3])
    with pytest.raises(TypeError, match="must be a Module and optimizer an Optimizer, got Linear"):
        Trainer(model, model.parameters(), criterion)
    with pytest.raises(ValueError, match="optimizer has none of the parameters of model"):
        Trainer(model, point()[1], criterion)
    trainer = Trainer(model, optimizer, criterion)
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        trainer.fit(BATCH, epochs=0)
    with pytest.raises(TypeError, match=r"epochs must be an integer, got 1\.5"):
        trainer.fit(BATCH, epochs=1.5)
    with pytest.raises(ValueError, match="resume needs checkpoints"):
        trainer.fit(BATCH, resume=True)


class PressesCtrlC(Callback):
    def __init__(self, step, times=1):
        self.when, self.times = step, times

    def on_backward_end(self, trainer):
        if trainer.step + 1 == self.when:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


@pytest.fixture
def default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_handler")
def test_ctrl_c_waits_for_the_step():
    model, optimizer = point()
    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), callbacks=[PressesCtrlC(3)])
    with pytest.raises(KeyboardInterrupt, match="after step 3"):
        trainer.fit(BATCH * 5)
    assert trainer.step == 3
    assert model.weight.version == 4  # once for what was loaded


@pytest.mark.usefixtures("default_handler")
def test_a_second_ctrl_c_does_not():
    model, optimizer = point()
    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), callbacks=[PressesCtrlC(3, 2)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(BATCH * 5)
    assert (trainer.step, model.weight.version) == (2, 3)


# ---------------------------------------------------------------------------- history, progress


def test_history_to_a_file_and_back(tmp_path):
    history = Trainer(*point(), nn.CrossEntropyLoss()).fit(BATCH, epochs=3)
    history.save(tmp_path / "run.csv")
    text = (tmp_path / "run.csv").read_text().splitlines()
    assert text[0].startswith("epoch,step,lr,train_loss,")
    assert text[3].startswith("3,3,0.1,")
    again = History.load(tmp_path / "run.csv")
    assert list(again) == list(history)
    for column in history:
        np.testing.assert_array_equal(again[column], history[column])
        assert again[column].dtype == history[column].dtype


def test_history_refuses_what_it_is_not(tmp_path):
    with pytest.raises(KeyError, match=r"no column 'loss', there are epoch, step"):
        History()["loss"]
    with pytest.raises(TypeError, match=r"values must be epoch, .* got epoch$"):
        History().append(epoch=1)
    for text in ("epoch,step\n1,2\n", "a\n3\n"):
        (tmp_path / "other.csv").write_text(text)
        with pytest.raises(ValueError, match=r"History.load: .*other\.csv: "):
            History.load(tmp_path / "other.csv")


def test_the_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    model, optimizer = point()

    class Slow(Callback):
        def on_step_end(self, trainer):
            time.sleep(0.005)  # a bar is drawn every tenth of a second

        on_validation_step = on_step_end

    trainer = Trainer(model, optimizer, nn.CrossEntropyLoss(), callbacks=[Slow()])
    trainer.fit(BATCH * 40, BATCH * 39, epochs=2)
    shown = capsys.readouterr().err
    for part in ("epoch 1/2", "epoch 2/2", "/40, ", "validation", "/39, ", " left", "loss 0."):
        assert part in shown
    assert "images/s" in shown
    Trainer(model, optimizer, nn.CrossEntropyLoss(), progress=False).fit(BATCH)
    assert capsys.readouterr().err == ""


def test_nothing_is_shown_where_nobody_watches(capsys):
    Trainer(*point(), nn.CrossEntropyLoss()).fit(BATCH)
    assert capsys.readouterr() == ("", "")


def test_training_needs_no_extra():
    script = (
        "import sys; sys.modules['tqdm'] = sys.modules['safetensors'] = None\n"
        "import numpy as np; from cnnfast import nn, optim, training\n"
        "sys.stderr.isatty = lambda: True\n"
        "model = nn.Linear(1, 2)\n"
        "trainer = training.Trainer(model, optim.SGD(model.parameters()), nn.CrossEntropyLoss())\n"
        "print(trainer.fit([(np.ones((1, 1), np.float32), np.array([0]))]).epochs)"
    )
    run = run_python(script)
    assert (run.stdout, run.stderr) == ("1\n", "")
