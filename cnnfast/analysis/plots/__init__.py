"""Pictures of training and of what came of it, each a matplotlib Figure (extra ``plot``).

curves.py        loss and accuracy over the epochs
filters.py       what a first layer looks for
maps.py          what a layer makes of an image
saliency.py      which pixels a score depends on
confusion.py     which classes are taken for which
predictions.py   images with what they are taken for; the worst mistakes
ledger.py        memory and time of each layer

Figures are made without pyplot, which keeps a global state and may look for a screen. Save one with
``figure.savefig(path)``; in a notebook, after ``%matplotlib inline``, its name shows it.
"""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError(
        "cnnfast.analysis.plots needs the library matplotlib: python -m pip install 'cnnfast[plot]'"
    ) from error

from cnnfast.analysis.plots.confusion import confusion_matrix
from cnnfast.analysis.plots.curves import training_curves
from cnnfast.analysis.plots.filters import filters
from cnnfast.analysis.plots.ledger import ledger
from cnnfast.analysis.plots.maps import activations
from cnnfast.analysis.plots.predictions import predictions, worst_mistakes
from cnnfast.analysis.plots.saliency import saliency

__all__ = [
    "activations",
    "confusion_matrix",
    "filters",
    "ledger",
    "predictions",
    "saliency",
    "training_curves",
    "worst_mistakes",
]
