"""The course's multiclass support vector machine loss."""

from __future__ import annotations

import math

import numpy as np

from cnnfast.functional._arguments import float_array, nonempty, number
from cnnfast.functional._memory import empty
from cnnfast.functional.loss._arguments import class_labels


def hinge_loss(
    scores: np.ndarray, labels: np.ndarray, margin: float = 1.0
) -> tuple[float, np.ndarray]:
    """Multiclass hinge (SVM) loss, averaged over the batch, and its gradient.

    The loss of a row with label y is the sum over j != y of max(0, s_j - s_y + margin), as the
    course has it. (torch's ``multi_margin_loss`` divides this by the number of classes as well.)

    Parameters
    ----------
    scores : numpy.ndarray
        (N, C), float32 or float64.
    labels : numpy.ndarray
        (N,), any integer dtype, in 0..C-1.
    margin : float
        By how much the label's score should lead.

    Returns
    -------
    loss : float
        The mean over the batch; NaN for an empty batch, as in torch.
    gradient : numpy.ndarray
        The shape and dtype of `scores`, C-contiguous.

    Raises
    ------
    TypeError
        `scores` is not a float32 or float64 array, `labels` not an integer array, or `margin`
        not a number.
    ValueError
        The shapes do not fit together, there is no class, a label is out of range, or `margin`
        is not finite.

    References
    ----------
    J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition", 1999;
    CS231n notes, "Linear classification: multiclass support vector machine loss".

    Examples
    --------
    >>> loss, gradient = hinge_loss(np.array([[13.0, -7.0, 11.0]]), np.array([0]), margin=10.0)
    >>> loss, gradient.tolist()
    (8.0, [[-1.0, 0.0, 1.0]])
    """
    scores = float_array("hinge_loss", "scores", scores, ndim=2)
    nonempty("hinge_loss", "scores", scores)
    labels = class_labels("hinge_loss", labels, scores.shape[:1], scores.shape[1])
    margin = number("hinge_loss", "margin", margin)
    batch = len(scores)
    if batch == 0:
        return math.nan, empty(scores.shape, scores.dtype)
    rows = np.arange(batch)
    with np.errstate(invalid="ignore"):  # infinity minus itself: a NaN loss says it
        margins = np.subtract(
            scores, scores[rows, labels][:, None], out=empty(scores.shape, scores.dtype)
        )
    margins += margin
    np.maximum(margins, 0, out=margins)
    margins[rows, labels] = 0
    loss = float(margins.sum(dtype=np.float64)) / batch
    # Each margin that is not met pushes its own score down and the label's up.
    gradient = np.greater(margins, 0, out=margins)
    gradient[rows, labels] = -gradient.sum(1)
    gradient /= batch
    return loss, gradient
