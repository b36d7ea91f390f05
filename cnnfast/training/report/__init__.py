"""A training as one HTML page.

write.py       what is on it
observed.py    what the network makes of the validation images
page.py        the HTML
"""

from cnnfast.training.report.write import write_report

__all__ = ["write_report"]
