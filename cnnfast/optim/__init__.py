"""Optimizers. Names and update rules are those of torch.optim."""

from cnnfast.optim.adam import Adam
from cnnfast.optim.optimizer import Optimizer
from cnnfast.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
