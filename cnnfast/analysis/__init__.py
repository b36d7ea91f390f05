"""What networks cost: parameters, memory, multiply-adds, and what each value sees of the image.

ledger.py            the sums, layer by layer and in all
memory.py            which values are stored, and how many at once
multiply_adds.py     of each kind of layer
receptive_field.py   of each kind of layer
wrappers.py          which layer a module is about
table.py             the ledger as text
"""

from cnnfast.analysis.ledger import Row, Summary, summary

__all__ = ["Row", "Summary", "summary"]
