"""What the classifier and the regressor share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from cnnfast.data import DataLoader
from cnnfast.nn import Module
from cnnfast.nn.module import positive
from cnnfast.optim import SGD, Adam, Optimizer
from cnnfast.sklearn.networks import Make, network
from cnnfast.training import predict_scores, train_epoch
from cnnfast.training.loop import Criterion

if TYPE_CHECKING:
    from typing_extensions import Self


class CNNEstimator(BaseEstimator):
    """A network, its training and its scores; `CNNClassifier` has the parameters."""

    #: What is learned by.
    _criterion: Criterion

    def __init__(
        self,
        model: str | Make | None = None,
        *,
        input_shape: Sequence[int] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str = "adam",
        learning_rate: float = 0.001,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.input_shape = input_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ what comes in

    def _read(self, X: ArrayLike, reset: bool, **and_y: Any) -> Any:  # noqa: N803
        """Check X, and y if given; return X as images or rows of floats, and y as it is."""
        read = validate_data(self, X, reset=reset, allow_nd=True, **and_y)
        x, *y = read if isinstance(read, tuple) else (read,)
        images = self._images(x)
        if not reset and images.shape[1:] != self.input_shape_:
            raise ValueError(
                f"{type(self).__name__}: X has samples of shape {images.shape[1:]}, but was fitted "
                f"with {self.input_shape_}"
            )
        return (images, *y) if y else images

    def _images(self, x: np.ndarray) -> np.ndarray:
        name = type(self).__name__
        x = x.astype(np.float32 if np.can_cast(x.dtype, np.float32) else np.float64, copy=False)
        if x.ndim > 4:
            raise ValueError(
                f"{name}: X must be (N, C, H, W), (N, H, W) or (N, features), got {x.shape}"
            )
        if self.input_shape is not None:
            shape = tuple(self.input_shape)
            if len(shape) != 3 or math.prod(shape) != math.prod(x.shape[1:]):
                raise ValueError(
                    f"{name}: input_shape must be (C, H, W) with as many values as a sample of X, "
                    f"{x.shape[1:]}, got {shape}"
                )
            return x.reshape(len(x), *shape)
        return x[:, np.newaxis] if x.ndim == 3 else x

    # ------------------------------------------------------------------ learning

    def _start(self, images: np.ndarray, n_outputs: int) -> None:
        """Make a network for such images, that has learned nothing yet."""
        numbers = check_random_state(self.random_state).randint(2**31, size=4)
        weights, order = map(
            np.random.default_rng, np.random.SeedSequence(numbers.tolist()).spawn(2)
        )
        shape = images.shape[1:]
        model = network(self.model, shape, n_outputs, weights, images.dtype).train()
        optimizer = self._new_optimizer(model)
        found = model(images[:1].astype(optimizer.params[0].dtype)).shape
        if found != (1, n_outputs):
            raise ValueError(
                f"{type(self).__name__}: model gives scores of shape {found} for one sample, "
                f"expected {(1, n_outputs)}"
            )
        self.model_, self._optimizer, self._order = model, optimizer, order
        self.input_shape_, self.n_outputs_ = shape, n_outputs
        self.n_iter_, self.t_ = 0, 0
        self.loss_curve_: list[float] = []

    def _new_optimizer(self, model: Module) -> Optimizer:
        learned, lr, decay = model.parameters(), self.learning_rate, self.weight_decay
        if self.optimizer == "adam":
            return Adam(learned, lr, weight_decay=decay)
        if self.optimizer == "sgd":
            return SGD(learned, lr, self.momentum, weight_decay=decay)
        raise ValueError(
            f"{type(self).__name__}: optimizer must be 'adam' or 'sgd', got {self.optimizer!r}"
        )

    def _learn(self, images: np.ndarray, targets: np.ndarray, epochs: int) -> Self:
        """Train the network for some epochs more."""
        images = images.astype(self._dtype, copy=False)
        for _ in range(positive(type(self).__name__, "epochs", epochs)):
            loader = DataLoader(images, targets, self.batch_size, shuffle=True, seed=self._order)
            progress = train_epoch(self.model_, loader, self._criterion, self._optimizer)
            self.n_iter_ += 1
            self.t_ += progress.images
            self.loss_ = progress.loss
            self.loss_curve_.append(progress.loss)
            if self.verbose:
                share = "" if math.isnan(progress.accuracy) else f", {progress.accuracy:.2%} right"
                print(f"epoch {self.n_iter_}: loss {progress.loss:.6f}{share}", flush=True)
        return self

    # ------------------------------------------------------------------ what goes out

    def _predicted(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Give the scores (N, n_outputs) of samples."""
        check_is_fitted(self, "model_")
        images = self._read(X, reset=False).astype(self._dtype, copy=False)
        return predict_scores(self.model_, images, self.batch_size)

    @property
    def _dtype(self) -> np.dtype:
        """Of the network; it need not be that of X."""
        return self._optimizer.params[0].dtype

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
