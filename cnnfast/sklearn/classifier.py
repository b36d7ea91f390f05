"""Classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from cnnfast import functional as F  # noqa: N812
from cnnfast.nn import CrossEntropyLoss
from cnnfast.sklearn.estimator import CNNEstimator

if TYPE_CHECKING:
    from typing_extensions import Self


class CNNClassifier(ClassifierMixin, CNNEstimator):
    """A convolutional network that tells classes, as an estimator of scikit-learn.

    Samples X are images (N, C, H, W) or (N, H, W), or rows (N, features). They are taken as they
    are: scale them to about 0 and 1. float32, and integers that fit in it (a picture's bytes), give
    a network in float32, anything else one in float64.

    Parameters
    ----------
    model : str, callable or None
        The network: a name in `cnnfast.models`; a pattern for `cnnfast.models.from_pattern`; or a
        function of (input_shape, n_outputs, rng) that makes a `cnnfast.nn.Module`, from samples
        ``(N, *input_shape)`` to scores (N, n_outputs). By default for images
        ``INPUT -> [[CONV -> RELU]*2 -> POOL]*n -> FC -> RELU -> FC`` with 16 filters in front of
        the first pool and twice as many after each, with n for maps of 4 to 7 pixels; for rows
        ``INPUT -> FC -> RELU -> FC``; with 128 features either way.
    input_shape : (C, H, W), optional
        Of the image that a row holds; without it rows are no images.
    epochs : int
        Passes over the samples.
    batch_size : int
        Samples in a step, and as many at a time in predictions.
    optimizer : "adam" or "sgd"
    learning_rate : float
        Of every step.
    momentum : float
        For "sgd".
    weight_decay : float
        The share of each parameter that adds to its gradient.
    random_state : int, numpy.random.RandomState or None
        Where the first weights, the order of the samples and dropout come from.
    verbose : bool
        Print a line for each epoch.

    Attributes
    ----------
    model_ : cnnfast.nn.Module
        The network.
    classes_ : numpy.ndarray
        (n_classes,), sorted.
    input_shape_ : tuple of int
        (C, H, W) or (features,).
    n_features_in_ : int
        The second size of X.
    feature_names_in_ : numpy.ndarray
        Names of the columns, if X has such.
    n_outputs_ : int
        The number of classes.
    loss_ : float
        The mean cross-entropy in the last epoch.
    loss_curve_ : list of float
        The same for every epoch.
    n_iter_ : int
        Epochs so far.
    t_ : int
        Samples learned from so far, each counted as often as it was.

    See Also
    --------
    CNNRegressor : Predicts numbers.

    Examples
    --------
    >>> from cnnfast import data
    >>> images, labels, *test = data.digits()
    >>> cnn = CNNClassifier("INPUT -> CONV -> RELU -> POOL -> FC", epochs=2, random_state=0)
    >>> cnn.fit(images[:500], labels[:500]).score(*test) > 0.7
    True
    >>> cnn.predict_proba(test[0][:3]).shape, len(cnn.loss_curve_)
    ((3, 10), 2)
    """

    _criterion = CrossEntropyLoss()

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Train a fresh network.

        Parameters
        ----------
        X : array-like
            (N, C, H, W), (N, H, W) or (N, features).
        y : array-like
            (N,), classes: anything that can be sorted.

        Returns
        -------
        CNNClassifier
            This one.

        Raises
        ------
        TypeError, ValueError
            X, y or a parameter is not what it must be, or the network does not take such images.
        FloatingPointError
            The loss becomes infinite or NaN.
        """
        images, y = self._read(X, reset=True, y=y)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        self._start(images, len(classes))
        self.classes_ = classes
        return self._learn(images, labels, self.epochs)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train for one epoch more, on these samples.

        Parameters
        ----------
        X, y
            As for `fit`.
        classes : array-like, optional
            (n_classes,), all that there will be; the first call, and only it, needs them.

        Returns
        -------
        CNNClassifier
            This one.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As `fit` does, and for classes that are missing, other ones than before, or labels that
            are none of them.
        """
        first = not hasattr(self, "model_")
        images, y = self._read(X, reset=first, y=y)
        check_classification_targets(y)
        if first and classes is None:
            raise ValueError("CNNClassifier.partial_fit: the first call needs classes")
        known = self.classes_ if classes is None else unique_labels(classes)
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"CNNClassifier.partial_fit: classes are {known}, but were {self.classes_}"
            )
        if unknown := np.setdiff1d(y, known).tolist():
            raise ValueError(f"CNNClassifier.partial_fit: y has {unknown}, not among {known}")
        if first:
            self._start(images, len(known))
            self.classes_ = known
        return self._learn(images, np.searchsorted(known, y), 1)

    def predict(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Give the class (N,) of each sample, the one with the highest score."""
        best = self._predicted(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Give the probability (N, n_classes) of each class, in the order of ``classes_``."""
        return F.softmax(self._predicted(X), dim=1)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Give the logarithms of `predict_proba`, exact also where that rounds to 0."""
        return F.log_softmax(self._predicted(X), dim=1)
