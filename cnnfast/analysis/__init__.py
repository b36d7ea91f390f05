"""What networks cost, and what they see.

advice.py            what the notes' rules for sizes say, and what batches fit in memory
ledger.py            parameters, memory and multiply-adds, layer by layer and in all
memory.py            which values are stored, and how many at once
multiply_adds.py     of each kind of layer
receptive_field.py   of each kind of layer
wrappers.py          which layer a module is about
table.py             the ledger as text
times.py             seconds that each layer takes
activations.py       what a layer makes of an image
saliency.py          which pixels a score depends on
mistakes.py          which classes are taken for which, and which images
plots/               all of it drawn (extra ``plot``)
rules.py             the notes' rules
footprint.py         memory for a batch
machine.py           memory that there is
steps.py             layers with the sizes of what they take and give
"""

from cnnfast.analysis.activations import activations
from cnnfast.analysis.advice import Advice, Finding, Footprint, Share, advise
from cnnfast.analysis.ledger import Row, Summary, summary
from cnnfast.analysis.mistakes import Mistakes, confusion_matrix, worst_mistakes
from cnnfast.analysis.saliency import saliency
from cnnfast.analysis.times import LayerTime, layer_times

__all__ = [
    "Advice",
    "Finding",
    "Footprint",
    "LayerTime",
    "Mistakes",
    "Row",
    "Share",
    "Summary",
    "activations",
    "advise",
    "confusion_matrix",
    "layer_times",
    "saliency",
    "summary",
    "worst_mistakes",
]
