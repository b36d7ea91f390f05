"""Networks. Each function makes one with fresh random weights."""

from cnnfast.models.lenet import lenet5

__all__ = ["lenet5"]
