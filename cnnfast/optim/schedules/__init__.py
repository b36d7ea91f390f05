"""Learning rates that change as training goes on. Names and formulas are torch's."""

from cnnfast.optim.schedules.curves import CosineAnnealingLR, LinearLR
from cnnfast.optim.schedules.one_cycle import OneCycleLR
from cnnfast.optim.schedules.plateau import ReduceLROnPlateau
from cnnfast.optim.schedules.scheduler import LRScheduler
from cnnfast.optim.schedules.sequential import SequentialLR
from cnnfast.optim.schedules.steps import MultiStepLR, StepLR

__all__ = [
    "CosineAnnealingLR",
    "LRScheduler",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
