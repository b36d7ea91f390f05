"""Regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from cnnfast.nn import MSELoss
from cnnfast.sklearn.estimator import CNNEstimator

if TYPE_CHECKING:
    from typing_extensions import Self


class CNNRegressor(RegressorMixin, CNNEstimator):
    """A convolutional network that predicts numbers, as an estimator of scikit-learn.

    It learns by the squared error. Targets are taken as they are, like samples: scale both to about
    0 and 1, targets for instance with `sklearn.compose.TransformedTargetRegressor`.

    Parameters, and attributes beside ``classes_``, are those of `CNNClassifier`; ``n_outputs_`` is
    how many numbers a sample has, and ``loss_`` and ``loss_curve_`` are means of squared errors.

    See Also
    --------
    CNNClassifier : Tells classes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> brightness = rng.standard_normal(200)
    >>> images = brightness[:, None, None] + 0.3 * rng.standard_normal((200, 8, 8))
    >>> cnn = CNNRegressor("INPUT -> CONV -> RELU -> FC", random_state=0)
    >>> cnn.fit(images[:150], brightness[:150]).score(images[150:], brightness[150:]) > 0.9
    True
    """

    _criterion = MSELoss()

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Train a fresh network.

        Parameters
        ----------
        X : array-like
            (N, C, H, W), (N, H, W) or (N, features).
        y : array-like
            (N,) or (N, n_outputs), numbers.

        Returns
        -------
        CNNRegressor
            This one.

        Raises
        ------
        TypeError, ValueError
            X, y or a parameter is not what it must be, or the network does not take such images.
        FloatingPointError
            The loss becomes infinite or NaN.
        """
        return self._fit(X, y, True, self.epochs)

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Train for one epoch more, on these samples; parameters and errors are those of `fit`."""
        return self._fit(X, y, not hasattr(self, "model_"), 1)

    def predict(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Give the numbers of each sample: (N, n_outputs), or (N,) if y of `fit` was so."""
        y = self._predicted(X)
        return y[:, 0] if self._flat else y

    def _fit(self, X: ArrayLike, y: ArrayLike, first: bool, epochs: int) -> Self:  # noqa: N803
        images, numbers = self._read(X, reset=first, y=y, multi_output=True, y_numeric=True)
        outputs = numbers.reshape(len(numbers), -1)
        if first:
            self._flat = numbers.ndim == 1
            self._start(images, outputs.shape[1])
        elif outputs.shape[1] != self.n_outputs_:
            raise ValueError(
                f"CNNRegressor.partial_fit: y has {outputs.shape[1]} numbers a sample, but was "
                f"fitted with {self.n_outputs_}"
            )
        return self._learn(images, outputs.astype(self._dtype), epochs)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
