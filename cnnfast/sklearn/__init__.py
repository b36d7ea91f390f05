"""Convolutional networks as scikit-learn's estimators (extra ``sklearn``).

classifier.py   CNNClassifier
regressor.py    CNNRegressor
estimator.py    what both share: reading X, training, predicting
networks.py     what network an estimator's `model` stands for
"""

try:
    import sklearn  # noqa: F401  (scikit-learn itself: imports are absolute)
except ImportError as error:
    raise ImportError(
        "cnnfast.sklearn needs the library scikit-learn: python -m pip install 'cnnfast[sklearn]'"
    ) from error

from cnnfast.sklearn.classifier import CNNClassifier
from cnnfast.sklearn.regressor import CNNRegressor

__all__ = ["CNNClassifier", "CNNRegressor"]
