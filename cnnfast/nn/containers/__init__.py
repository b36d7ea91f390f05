"""Modules made of modules."""

from cnnfast.nn.containers.branches import Concat, Residual
from cnnfast.nn.containers.graph import Graph
from cnnfast.nn.containers.sequential import Sequential

__all__ = ["Concat", "Graph", "Residual", "Sequential"]
