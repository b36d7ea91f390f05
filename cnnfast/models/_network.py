"""What networks have beside their layers."""

from __future__ import annotations

from collections.abc import Mapping

from cnnfast.nn import Graph, Module, Sequential


class _Headed(Module):
    """A network that knows its head: the layer that makes scores of features."""

    _head: str  # its path, as in `named_modules`

    @property
    def head(self) -> Module:
        """The last layer with parameters. Another may take its place, for other classes.

        Examples
        --------
        >>> from cnnfast import models, nn
        >>> model = models.lenet5()
        >>> model.head = nn.Linear(model.head.in_features, 3)
        >>> model.fc3
        Linear(84, 3)
        """
        owner, name = self._head_place()
        return getattr(owner, name)

    @head.setter
    def head(self, layer: Module) -> None:
        if not isinstance(layer, Module):
            raise TypeError(f"{type(self).__name__}: head must be a Module, got {layer!r}")
        owner, name = self._head_place()
        setattr(owner, name, layer)

    def _head_place(self) -> tuple[Module, str]:
        owner: Module = self
        *path, name = self._head.split(".")
        for step in path:
            owner = getattr(owner, step)
        return owner, name


class Network(_Headed, Sequential):
    """Layers in a row, one of which is the head.

    Parameters
    ----------
    layers : mapping of str to Module
    head : str
        Path of the head, such as "classifier.6".

    Examples
    --------
    >>> from cnnfast.nn import Flatten, Linear
    >>> Network({"flatten": Flatten(), "fc": Linear(4, 2)}, head="fc").head
    Linear(4, 2)
    """

    def __init__(self, layers: Mapping[str, Module], head: str) -> None:
        super().__init__(layers)
        self._head = head


class GraphNetwork(_Headed, Graph):
    """A `Graph` with a head; parameters as for `Graph` and `Network`."""

    def __init__(
        self, nodes: Mapping[str, tuple], head: str, outputs: tuple[str, ...] | None = None
    ) -> None:
        super().__init__(nodes, outputs=outputs)
        self._head = head
