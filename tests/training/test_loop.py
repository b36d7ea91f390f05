"""The training loop: the step it takes, what it reports, that it learns, and always the same."""

import math

import numpy as np
import pytest

from cnnfast import data, models, nn, optim
from cnnfast.training import evaluate, predict_scores, train_epoch
from tests.helpers import using_threads


@pytest.fixture(scope="module")
def digits():
    images, labels, *_ = data.digits()
    return images[:300], labels[:300]


def learn(digits, seed=0, epochs=2, lr=0.05):
    """Train LeNet-5 on a few digits; give it, and the progress of each epoch."""
    model = models.lenet5(rng=np.random.default_rng(seed))
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loader = data.DataLoader(*digits, batch_size=32, shuffle=True, seed=seed)
    criterion = nn.CrossEntropyLoss()
    return model, [train_epoch(model, loader, criterion, optimizer) for _ in range(epochs)]


def test_the_steps_are_those_written_out(digits):
    model, _ = learn(digits)

    other = models.lenet5(rng=np.random.default_rng(0))
    optimizer = optim.SGD(other.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    loader = data.DataLoader(*digits, batch_size=32, shuffle=True, seed=0)
    for _ in range(2):
        for images, labels in loader:
            logits, backward = other.forward(images)
            _, gradient = criterion(logits, labels)
            backward(gradient)
            optimizer.step()
            optimizer.zero_grad()

    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(mine.data, theirs.data)
        assert mine.grad is None


def test_training_reduces_the_loss(digits):
    model, epochs = learn(digits, epochs=8)
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    assert epochs[-1].accuracy > epochs[0].accuracy
    assert evaluate(model, *digits) > 0.85


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_bits(digits, threads):
    first, epochs = learn(digits, seed=3)
    with using_threads(threads):
        second, again = learn(digits, seed=3)
    assert epochs == again
    for name, array in first.state_dict().items():
        assert array.tobytes() == second.state_dict()[name].tobytes(), name
    third, _ = learn(digits, seed=4)
    assert third.state_dict()["fc3.weight"].tobytes() != first.state_dict()["fc3.weight"].tobytes()


def test_numbers_to_predict_have_no_accuracy():
    rng = np.random.default_rng(0)
    x = rng.random((32, 3), np.float32)
    loader = data.DataLoader(x, x @ rng.random((3, 2), np.float32), batch_size=8)
    model = nn.Linear(3, 2, rng=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    epochs = [train_epoch(model, loader, nn.MSELoss(), optimizer) for _ in range(5)]
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    assert math.isnan(epochs[0].accuracy)


def test_progress_is_the_mean_so_far():
    model = nn.Linear(2, 2)
    model.load_state_dict({"weight": np.eye(2, dtype=np.float32), "bias": np.zeros(2, np.float32)})
    images = np.array([[3, 0], [0, 3], [3, 0], [0, 3], [3, 0]], np.float32)
    labels = np.array([0, 1, 1, 1, 0])  # the third is wrong
    loader = data.DataLoader(images, labels, batch_size=2)
    seen = []
    optimizer = optim.SGD(model.parameters(), lr=0.0)  # so that every loss is of the same model
    last = train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, seen.append)

    right, wrong = math.log1p(math.exp(-3)), math.log1p(math.exp(3))
    assert [(p.accuracy, p.images, p.batches) for p in seen] == [
        (2 / 2, 2, 1),
        (3 / 4, 4, 2),
        (4 / 5, 5, 3),  # a smaller last batch counts for what it has
    ]
    np.testing.assert_allclose(
        [p.loss for p in seen], [right, (3 * right + wrong) / 4, (4 * right + wrong) / 5], rtol=1e-6
    )
    assert last == seen[-1]


def test_what_the_callback_raises_ends_the_epoch(digits):
    def interrupt(progress):
        if progress.batches == 2:
            raise KeyboardInterrupt

    model = models.lenet5()
    optimizer = optim.SGD(model.parameters())
    loader = data.DataLoader(*digits, batch_size=32)
    with pytest.raises(KeyboardInterrupt):
        train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, interrupt)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_changes_nothing(digits):
    images, labels = digits
    spoilt = images[:96].copy()
    spoilt[64:] = np.nan
    model = models.lenet5()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    states = []
    with pytest.raises(
        FloatingPointError,
        match=r"batch 3: the loss is nan, first of all the images .* learning rate",
    ):
        train_epoch(
            model,
            data.DataLoader(spoilt, labels[:96], batch_size=32),
            nn.CrossEntropyLoss(),
            optimizer,
            lambda progress: states.append(model.state_dict()),
        )
    assert len(states) == 2
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, states[-1][name])


def test_no_images():
    model = nn.Linear(2, 2)
    optimizer = optim.SGD(model.parameters())
    images, labels = np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    for loader in ([], [(images, labels)]):
        progress = train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
        assert progress[2:] == (0, 0)
        assert math.isnan(progress.loss)
        assert math.isnan(progress.accuracy)
    assert predict_scores(model, images).shape == (0, 2)
    assert math.isnan(evaluate(model, images, labels))


@pytest.mark.parametrize("batch_size", [1, 7, 300, 1000])
def test_scores_do_not_depend_on_the_batches(digits, batch_size):
    model = models.lenet5(rng=np.random.default_rng(0), dtype=np.float64)
    images, labels = digits[0].astype(np.float64), digits[1]
    scores = predict_scores(model, images, batch_size)
    np.testing.assert_allclose(scores, model(images), rtol=1e-10, atol=1e-12)
    right = (model(images).argmax(axis=1) == labels).sum()
    assert evaluate(model, images, labels, batch_size) == right / 300


def test_arguments_that_do_not_fit(digits):
    images, labels = digits
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate(models.lenet5(), images, labels, 0)
    for wrong in (labels[:-1], labels[:, None]):
        with pytest.raises(ValueError, match=r"labels must have shape \(300,\), one for each"):
            evaluate(models.lenet5(), images, wrong)
