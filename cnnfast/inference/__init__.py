"""A trained network as a flat plan of kernels: fused, laid out and packed once, then only run.

model -> fuse.py (fewer, larger steps) -> arena.py (where each value lies)
      -> recorder.py (the kernels' calls, taken down) -> plan.py (what a user runs)
"""

from cnnfast.inference.plan import Plan, compile
from cnnfast.inference.profile import Profile, StepTime

__all__ = ["Plan", "Profile", "StepTime", "compile"]
