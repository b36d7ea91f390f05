"""What networks cost: parameters, memory, multiply-adds, and what each value sees of the image.

advice.py            what the notes' rules for sizes say, and what batches fit in memory
ledger.py            the sums, layer by layer and in all
memory.py            which values are stored, and how many at once
multiply_adds.py     of each kind of layer
receptive_field.py   of each kind of layer
wrappers.py          which layer a module is about
table.py             the ledger as text
rules.py             the notes' rules
footprint.py         memory for a batch
machine.py           memory that there is
steps.py             layers with the sizes of what they take and give
"""

from cnnfast.analysis.advice import Advice, Finding, Footprint, Share, advise
from cnnfast.analysis.ledger import Row, Summary, summary

__all__ = ["Advice", "Finding", "Footprint", "Row", "Share", "Summary", "advise", "summary"]
