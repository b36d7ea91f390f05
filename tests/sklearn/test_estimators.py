"""CNNClassifier and CNNRegressor: scikit-learn's own checks, its tools, images, and bad input."""

import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import cnnfast
from cnnfast import data, nn
from tests.helpers import CHECKOUT, random

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cnnfast.sklearn import CNNClassifier, CNNRegressor
from cnnfast.sklearn.networks import network

SMALL = "INPUT -> CONV -> RELU -> POOL -> FC"


@parametrize_with_checks([CNNClassifier(), CNNRegressor()])
def test_what_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """Rows of 8x8 pixels, from 0 to 16: train and test."""
    return train_test_split(*load_digits(return_X_y=True), random_state=0)


@pytest.fixture(scope="module")
def few():
    """Images (60, 8, 8) of two digits."""
    rows, labels = load_digits(n_class=2, return_X_y=True)
    return rows[:60].reshape(-1, 8, 8).astype(np.float32) / 16, labels[:60]


def states(estimator):
    return estimator.model_.state_dict()


def assert_same_weights(one, other):
    one, other = states(one), states(other)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


# ---------------------------------------------------------------------------- it learns


def test_digits_as_images_are_told_better_than_as_rows(digits):
    train, test, labels, test_labels = digits
    as_rows = make_pipeline(MinMaxScaler(), CNNClassifier(random_state=0))
    as_images = clone(as_rows).set_params(cnnclassifier__input_shape=(1, 8, 8))
    rows, images = (p.fit(train, labels).score(test, test_labels) for p in (as_rows, as_images))
    assert rows > 0.95
    assert images > 0.98
    assert as_images[-1].model_.conv1.weight.shape == (16, 1, 3, 3)
    assert [type(layer).__name__ for layer in as_rows[-1].model_] == [
        *("Flatten", "Linear", "ReLU", "Linear")
    ]


def test_regression_in_a_pipeline():
    x, y = load_diabetes(return_X_y=True)
    network = CNNRegressor(random_state=0)
    scaled = TransformedTargetRegressor(network, transformer=StandardScaler())
    scores = cross_val_score(make_pipeline(StandardScaler(), scaled), x, y, cv=3)
    assert scores.min() > 0.3


def test_several_numbers_at_once():
    x = random(200, 1, 6, 6, dtype=np.float32)
    y = np.stack([x.mean((1, 2, 3)), x[:, 0, :3].mean((1, 2))], axis=1) * 5
    cnn = CNNRegressor("INPUT -> CONV -> RELU -> FC", epochs=40, random_state=0).fit(x, y)
    assert cnn.score(x, y) > 0.9
    assert cnn.predict(x[:3]).shape == (3, 2)
    assert cnn.n_outputs_ == 2


def test_grid_search_and_cross_validation_on_images(few):
    images, labels = few
    cnn = CNNClassifier(epochs=5, batch_size=8, random_state=0)
    search = GridSearchCV(cnn, {"learning_rate": [1e-6, 0.003], "model": [SMALL, None]}, cv=2)
    search.fit(images, labels)
    assert search.best_params_["learning_rate"] == 0.003
    assert search.best_score_ > 0.9
    assert cross_val_score(search.best_estimator_, images[:, np.newaxis], labels).mean() > 0.9


def test_labels_of_any_kind(few):
    images, labels = few
    names = np.array(["none", "one"])[labels]
    cnn = CNNClassifier(SMALL, epochs=5, random_state=0).fit(images, names)
    assert cnn.classes_.tolist() == ["none", "one"]
    assert (cnn.predict(images) == names).mean() > 0.9


# ---------------------------------------------------------------------------- what it gives


def test_probabilities_are_the_softmax_of_the_networks_scores(few):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=1, random_state=0).fit(images, labels)
    scores = cnn.model_(images[:, np.newaxis]).astype(np.float64)
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(cnn.predict_proba(images), expected, rtol=1e-5)
    np.testing.assert_allclose(cnn.predict_log_proba(images), np.log(expected), atol=1e-5)
    np.testing.assert_array_equal(cnn.predict(images), scores.argmax(1))


def test_losses_of_the_epochs(few, capsys):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=3, learning_rate=0.01, random_state=0, verbose=True)
    cnn.fit(images, labels)
    assert (cnn.n_iter_, cnn.t_, len(cnn.loss_curve_)) == (3, 180, 3)
    assert cnn.loss_curve_[0] > cnn.loss_curve_[-1] == cnn.loss_
    lines = capsys.readouterr().out.splitlines()
    assert [float(re.match(r"epoch \d: loss (\S+), \S+% right$", x)[1]) for x in lines] == (
        pytest.approx(cnn.loss_curve_, abs=1e-6)
    )
    CNNRegressor(SMALL, epochs=1, verbose=True).fit(images, labels)
    assert re.fullmatch(r"epoch 1: loss [\d.]+\n", capsys.readouterr().out)


def test_the_loss_is_that_of_all_samples(few):
    """With steps of almost nothing every batch sees the first weights."""
    images, labels = few
    cnn = CNNRegressor(SMALL, epochs=1, learning_rate=1e-12, batch_size=7, random_state=0)
    cnn.fit(images, labels.astype(float))
    assert cnn.loss_ == pytest.approx(np.mean((cnn.predict(images) - labels) ** 2), rel=1e-4)


def test_the_steps_are_those_written_out():
    x, y = random(40, 5), random(40, 3)

    def linear(shape, n, rng):
        return nn.Linear(5, n, bias=False, rng=rng, dtype=np.float64)

    cnn = CNNRegressor(
        linear,
        epochs=6,
        batch_size=40,
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.8,
        weight_decay=0.3,
        random_state=0,
    ).fit(x, y)
    first = clone(cnn).set_params(learning_rate=0).fit(x, y).model_.weight.data
    weight, velocity = first.copy(), 0.0
    for _ in range(6):
        gradient = 2 * (x @ weight.T - y).T @ x / y.size + 0.3 * weight
        velocity = 0.8 * velocity + gradient
        weight -= 0.1 * velocity
    np.testing.assert_allclose(cnn.model_.weight.data, weight, rtol=1e-9)
    adam = clone(cnn).set_params(optimizer="adam", epochs=1).fit(x, y).model_.weight.data
    np.testing.assert_allclose(abs(adam - first), 0.1, rtol=1e-6)


def test_every_epoch_has_its_own_order(few):
    _, labels = few
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(x[:, 0].tolist())
            return super().forward(x)

    CNNClassifier(lambda shape, n, rng: Watching(1, n), epochs=2, batch_size=60).fit(
        np.arange(60, dtype=np.float32)[:, np.newaxis], labels
    )
    assert sorted(seen[0]) == sorted(seen[1]) == list(range(60))
    assert seen[0] != seen[1]


def test_the_same_seed_makes_the_same_network(few):
    images, labels = few
    cnn = CNNClassifier("INPUT -> CONV -> FC -> DROPOUT -> FC", epochs=2, random_state=3)
    again = clone(cnn).fit(images, labels)
    cnn.fit(images, labels)
    assert_same_weights(cnn.fit(images, labels), again)
    other = clone(cnn).set_params(random_state=4).fit(images, labels)
    assert (states(other)["fc1.weight"] != states(cnn)["fc1.weight"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_partial_fit_goes_on_where_fit_ended(few, optimizer):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=3, optimizer=optimizer, random_state=0)
    whole = clone(cnn).fit(images, labels)
    parts = cnn.set_params(epochs=1).fit(images, labels)
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(images, labels)
    assert_same_weights(parts.partial_fit(images, labels, classes=[0, 1]), whole)
    assert parts.loss_curve_ == whole.loss_curve_


def test_partial_fit_knows_classes_that_are_still_to_come(few):
    images, labels = few
    cnn = CNNClassifier(SMALL, random_state=0)
    cnn.partial_fit(images[labels == 1], labels[labels == 1], classes=[2, 1, 0])
    assert cnn.predict_proba(images).shape == (60, 3)
    cnn.partial_fit(images, labels)
    assert cnn.classes_.tolist() == [0, 1, 2]


def test_a_pickled_one_predicts_the_same(few):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=1).fit(images, labels)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(cnn)).predict_proba(images), cnn.predict_proba(images)
    )


def test_a_network_with_batch_norm_and_dropout_predicts_without_them(few):
    images, labels = few
    pattern = "INPUT -> CONV -> BN -> RELU -> FC -> DROPOUT -> FC"
    cnn = CNNClassifier(pattern, epochs=1, batch_size=8, random_state=0).fit(images, labels)
    together = cnn.predict_proba(images)
    alone = np.concatenate([cnn.predict_proba(images[i : i + 1]) for i in range(len(images))])
    np.testing.assert_allclose(alone, together, rtol=1e-4)


# ---------------------------------------------------------------------------- what it takes


@pytest.mark.parametrize(
    ("dtype", "of_network"),
    [
        (np.uint8, np.float32),
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.int64, np.float64),
        (np.float64, np.float64),
    ],
)
def test_the_network_has_a_dtype_that_holds_the_samples(few, dtype, of_network):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=1).fit((images * 16).astype(dtype), labels)
    assert next(cnn.model_.parameters()).dtype == of_network
    assert cnn.predict_proba(images).dtype == of_network


def test_images_in_all_their_forms_are_the_same(few):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=1, random_state=0)
    expected = cnn.fit(images, labels).predict_proba(images)
    with_channels = images[:, np.newaxis]
    got = clone(cnn).fit(with_channels, labels).predict_proba(with_channels)
    np.testing.assert_array_equal(got, expected)
    rows = images.reshape(60, 64)
    got = clone(cnn).set_params(input_shape=[1, 8, 8]).fit(rows, labels).predict_proba(rows)
    np.testing.assert_array_equal(got, expected)


def test_networks_of_the_zoo_patterns_and_functions():
    rng = np.random.default_rng(0)
    cifar = network("cifar_resnet20", (1, 16, 16), 3, rng, np.float64)
    assert cifar(random(2, 1, 16, 16)).shape == (2, 3)
    assert cifar.conv1.weight.dtype == np.float64
    assert network("INPUT -> FC -> RELU -> FC", (4,), 3, rng, np.float32).fc1.in_features == 4
    made = network(lambda shape, n, rng: nn.Linear(*shape, n, rng=rng), (5,), 2, rng, np.float64)
    assert made.weight.shape == (2, 5)


@pytest.mark.parametrize(
    "shape", [(7,), (1, 1, 1), (1, 1, 9), (1, 2, 2), (2, 5, 3), (1, 28, 28), (3, 61, 40)]
)
def test_there_is_a_network_for_every_shape(shape):
    made = network(None, shape, 4, np.random.default_rng(0), np.float32)
    assert made(random(2, *shape, dtype=np.float32)).shape == (2, 4)
    assert sum(p.size for p in made.parameters()) < 1e6


def test_a_function_may_choose_the_dtype(few):
    images, labels = few

    def linear(shape, n, rng):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, n, rng=rng))

    cnn = CNNClassifier(linear, epochs=2, random_state=0).fit(images.astype(np.float64), labels)
    assert cnn.predict_proba(images.astype(np.float64)).dtype == np.float32


def test_a_network_that_has_learned_before(few):
    images, labels = few
    before = CNNClassifier(SMALL, epochs=10, random_state=0).fit(images, labels)

    def learned(shape, n, rng):
        model = network(SMALL, shape, n, rng, np.float32)
        model.load_state_dict(before.model_.state_dict())
        return model

    assert CNNClassifier(learned, epochs=1).fit(images, labels).loss_ < before.loss_curve_[-2]


def test_full_size_digits():
    images, labels, test_images, test_labels = data.digits()
    cnn = CNNClassifier("lenet5", epochs=2, learning_rate=0.003, random_state=0)
    assert cnn.fit(images[:1500], labels[:1500]).score(test_images, test_labels) > 0.9


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "CNNClassifier: epochs must be at least 1, got 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, found 0"),
        ({"optimizer": "lbfgs"}, ValueError, "optimizer must be 'adam' or 'sgd', got 'lbfgs'"),
        ({"learning_rate": -1}, ValueError, "Adam: lr must be at least 0 and finite, got -1"),
        ({"optimizer": "sgd", "momentum": None}, TypeError, "SGD: momentum must be a number, got"),
        ({"model": "lenet"}, ValueError, "model must be a pattern such as .* got 'lenet'"),
        ({"model": "INPUT -> CON -> FC"}, ValueError, "from_pattern: expected"),
        ({"model": 3}, TypeError, "model must be the name of a network, .* got int"),
        ({"model": nn.Flatten()}, TypeError, r"a function of \(input_shape.* got Flatten"),
        ({"model": lambda *_: None}, TypeError, "model must make a Module, .* gave None"),
        ({"model": lambda *_: nn.Flatten()}, ValueError, "there are no parameters to optimize"),
        (
            {"model": lambda shape, n, rng: nn.Conv2d(1, n, 3)},
            ValueError,
            r"model gives scores of shape \(1, 2, 6, 6\) for one sample, expected \(1, 2\)",
        ),
        ({"model": "lenet5"}, ValueError, "conv2d: kernel_size"),
        (
            {"input_shape": (8, 8)},
            ValueError,
            r"input_shape must be \(C, H, W\) with as many .* \(8, 8\), got \(8, 8\)",
        ),
        ({"input_shape": (3, 8, 8)}, ValueError, r"a sample of X, \(8, 8\), got \(3, 8, 8\)"),
        ({"learning_rate": 1e30}, FloatingPointError, "with a smaller learning rate"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_parameters_that_make_no_sense(few, parameters, error, words):
    with pytest.raises(error, match=words):
        CNNClassifier(**{"epochs": 2, **parameters}).fit(*few)


@pytest.mark.parametrize("model", ["lenet5", SMALL])
def test_rows_are_no_images(few, model):
    images, labels = few
    with pytest.raises(ValueError, match=r"X has rows of 64 features; pass input_shape=\(C, H, W"):
        CNNClassifier(model).fit(images.reshape(60, 64), labels)


def test_images_of_another_shape(few):
    images, labels = few
    cnn = CNNClassifier(SMALL, epochs=1).fit(images, labels)
    with pytest.raises(ValueError, match=r"samples of shape \(1, 8, 7\), .* with \(1, 8, 8\)"):
        cnn.predict(images[:, :, :7])
    with pytest.raises(ValueError, match=r"must be \(N, C, H, W\), .* got \(1, 1, 60, 8, 8\)"):
        cnn.fit(images[np.newaxis, np.newaxis], labels[:1])


def test_a_network_that_cannot_be_made_leaves_the_estimator_unfitted(few):
    cnn = CNNClassifier("lenet5")
    with pytest.raises(ValueError, match="conv2d: kernel_size"):
        cnn.fit(*few)
    with pytest.raises(NotFittedError):
        cnn.predict(few[0])


def test_labels_that_do_not_fit(few):
    images, labels = few
    cnn = CNNClassifier(SMALL)
    with pytest.raises(ValueError, match="partial_fit: the first call needs classes"):
        cnn.partial_fit(images, labels)
    with pytest.raises(ValueError, match=r"partial_fit: y has \[1\], not among \[0 2\]"):
        cnn.partial_fit(images, labels, classes=[0, 2])
    cnn.partial_fit(images, labels, classes=[0, 1])
    with pytest.raises(ValueError, match=r"partial_fit: classes are \[1 2\], but were \[0 1\]"):
        cnn.partial_fit(images, labels, classes=[1, 2])
    regressor = CNNRegressor(SMALL, epochs=1).fit(images, labels)
    with pytest.raises(ValueError, match="y has 2 numbers a sample, but was fitted with 1"):
        regressor.partial_fit(images, np.stack([labels, labels], 1))


def test_without_scikit_learn_it_says_what_to_install():
    script = "import sys; sys.modules['sklearn'] = None; import cnnfast.sklearn"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "needs the library scikit-learn: python -m pip install 'cnnfast[sk" in ended.stderr


def test_importing_cnnfast_leaves_scikit_learn_alone():
    script = (
        "import sys, cnnfast; cnnfast.models; cnnfast.training; print('sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert "sklearn" not in cnnfast.__all__  # for `from cnnfast import *`
