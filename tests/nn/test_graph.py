"""Graph, Residual, Concat: any order, sums where a value fans out, nothing kept too long."""

import copy
import weakref

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn import Backward, Graph, Module
from cnnfast.nn.trace import ELEMENTWISE, replay, trace


class Scale(Module):
    """y = factor * x, and a note of every input gradient it was asked for."""

    def __init__(self, factor, learns=False, log=None):
        self.factor = factor
        self.weight = nn.Parameter(np.full(1, float(factor)))
        self.weight.requires_grad = learns
        self.log = [] if log is None else log

    def __call__(self, x):
        return self.weight.data * x

    def forward(self, x):
        weight = self.weight.data

        def gradients(grad, needs):
            self.log.append(needs)
            return grad * weight, (grad * x).sum(keepdims=True)

        return self(x), Backward.with_parameters(gradients, weight=self.weight)


class Split(Module):
    """Several outputs: the halves of a vector."""

    def __call__(self, x):
        return tuple(np.split(x, 2))

    def forward(self, x):
        halves = self(x)

        def run(grads):
            return np.concatenate(
                [np.zeros_like(h) if g is None else g for h, g in zip(halves, grads, strict=True)]
            )

        return halves, Backward.without_parameters(run)


class Watched(Module):
    """Tells which of the arrays that it made are still alive when each is made."""

    def __init__(self, made):
        self.made = made

    def __call__(self, x):
        y = x + 1
        self.made.append((weakref.ref(y), [ref() is not None for ref, _ in self.made]))
        return y

    def forward(self, x):
        return self(x), Backward.without_parameters(lambda grad: grad)


def diamond():
    """y = 3(2x) + 5(2x) + x, its nodes given in no useful order."""
    return Graph(
        {
            "sum2": (nn.Add(), "sum1", "input"),
            "sum1": (nn.Add(), "left", "right"),
            "right": (Scale(5), "stem"),
            "left": (Scale(3), "stem"),
            "stem": (Scale(2), "input"),
        },
        outputs=["sum2"],
    )


def test_runs_in_topological_order_and_sums_where_a_value_fans_out():
    graph, x = diamond(), np.array([1.0, -2.0])
    np.testing.assert_array_equal(graph(x), 17 * x)
    y, backward = graph.forward(x)
    np.testing.assert_array_equal(y, 17 * x)
    np.testing.assert_array_equal(backward(np.array([1.0, 10.0])), [17.0, 170.0])
    assert graph.nodes()[0].name == "stem"


def test_order_given_is_kept_if_it_is_one():
    names = ["b", "a", "d", "c"]
    nodes = {name: (nn.ReLU(), "input") for name in names}
    graph = Graph({**nodes, "join": (nn.Concatenate(), *names)})
    assert [node.name for node in graph.nodes()] == [*names, "join"]


def test_parameters_learn_and_sum_over_uses():
    shared = Scale(2, learns=True)
    graph = Graph({"first": (shared, "input"), "second": (shared, "first")})
    assert [name for name, _ in graph.named_parameters()] == ["first.weight"]
    y, backward = graph.forward(np.array([3.0]))
    assert y.tolist() == [12.0]
    assert backward(np.array([1.0])).tolist() == [4.0]
    assert shared.weight.grad.tolist() == [2 * 2 * 3.0]


def test_only_what_somebody_wants_is_computed():
    log = {name: [] for name in ("frozen", "learned", "after", "side")}
    graph = Graph(
        {
            "frozen": (Scale(1, False, log["frozen"]), "input"),
            "learned": (Scale(1, True, log["learned"]), "frozen"),
            "after": (Scale(1, False, log["after"]), "learned"),
            "side": (Scale(1, False, log["side"]), "input"),
            "sum": (nn.Add(), "after", "side"),
        }
    )
    _, backward = graph.forward(np.ones(1))
    assert backward(np.ones(1), input_grad=False) is None
    assert log == {"frozen": [], "learned": [("weight",)], "after": [("x",)], "side": []}
    for notes in log.values():
        notes.clear()
    _, backward = graph.forward(np.ones(1))
    assert backward(np.ones(1)).tolist() == [2.0]
    assert log == {
        "frozen": [("x",)],
        "learned": [("x", "weight")],
        "after": [("x",)],
        "side": [("x",)],
    }


def test_several_inputs_and_outputs():
    graph = Graph(
        {"sum": (nn.Add(), "a", "b"), "double": (Scale(2), "a")},
        inputs=["a", "b"],
        outputs=["sum", "double", "b"],
    )
    a, b = np.array([1.0]), np.array([10.0])
    assert [y.tolist() for y in graph(a, b)] == [[11.0], [2.0], [10.0]]
    outputs, backward = graph.forward(a, b)
    assert [y.tolist() for y in outputs] == [[11.0], [2.0], [10.0]]
    gradients = backward((np.array([1.0]), np.array([10.0]), np.array([100.0])))
    assert [g.tolist() for g in gradients] == [[21.0], [101.0]]
    outputs, backward = graph.forward(a, b)
    gradients = backward((None, np.array([10.0]), None))
    assert gradients[0].tolist() == [20.0]
    assert gradients[1] is None


def test_outputs_of_a_node_by_number():
    graph = Graph({"split": (Split(), "input"), "second": (Scale(3), "split:1")})
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert graph(x).tolist() == [9.0, 12.0]
    _, backward = graph.forward(x)
    assert backward(np.ones(2)).tolist() == [0.0, 0.0, 3.0, 3.0]
    both = Graph({"split": (Split(), "input")}, outputs=["split:1", "split:0"])
    assert [part.tolist() for part in both(x)] == [[3.0, 4.0], [1.0, 2.0]]


def test_an_argument_left_out():
    class Optional(Module):
        def __call__(self, x, y=None):
            return x if y is None else x + y

        def forward(self, x, y=None):
            return self(x, y), Backward.without_parameters(lambda grad: (grad, None))

    graph = Graph({"only": (Optional(), "input", None)})
    _, backward = graph.forward(np.ones(2))
    assert backward(np.ones(2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("learning", [False, True])
def test_values_are_let_go_of_when_nothing_needs_them(learning):
    made = []
    names = [f"n{i}" for i in range(5)]
    nodes = {
        name: (Watched(made), source)
        for name, source in zip(names, ["input", *names], strict=False)
    }
    graph = Graph({**nodes, "sum": (nn.Add(), "n4", "n1")})
    (graph.forward if learning else graph)(np.zeros(3))
    alive = [alive for _, alive in made]
    # A layer's argument lives while it runs; n1 stays for the sum.
    assert alive[2:] == [
        [False, True],
        [False, True, True],
        [False, True, False, True],
    ]


def test_gradients_are_not_changed_in_place():
    """Add gives the very same array to both sides."""
    graph = Graph({"sum": (nn.Add(), "input", "input"), "again": (nn.Add(), "sum", "input")})
    grad = np.ones(2)
    _, backward = graph.forward(np.zeros(2))
    assert backward(grad).tolist() == [3.0, 3.0]
    assert grad.tolist() == [1.0, 1.0]


def test_a_node_may_be_replaced():
    graph = diamond()
    graph.stem = Scale(4)
    assert graph(np.ones(1)).tolist() == [33.0]
    twin = copy.deepcopy(graph)
    twin.stem = Scale(0)
    assert (twin(np.ones(1)).tolist(), graph(np.ones(1)).tolist()) == ([1.0], [33.0])


def test_state_modes_and_text_are_those_of_any_module():
    graph = nn.Residual(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1, bias=False))
    assert list(graph.state_dict()) == ["body.weight", "body.bias", "shortcut.weight"]
    assert not graph.eval().body.training
    assert "(shortcut): Conv2d(2, 2, kernel_size=(1, 1)" in repr(graph)
    assert graph.astype(np.float64).body.weight.dtype == np.float64
    assert not any(p.requires_grad for p in graph.requires_grad_(False).parameters())


def test_residual_and_concat():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 5, 5))
    conv = nn.Conv2d(3, 3, 3, padding=1, rng=rng, dtype=np.float64)
    other = nn.Conv2d(3, 4, 1, rng=rng, dtype=np.float64)
    np.testing.assert_array_equal(nn.Residual(conv)(x), conv(x) + x)
    np.testing.assert_array_equal(nn.Residual(conv, conv)(x), 2 * conv(x))
    both = nn.Concat(conv, other)
    np.testing.assert_array_equal(both(x), np.concatenate([conv(x), other(x)], axis=1))
    grad = rng.standard_normal((2, 7, 5, 5))
    gx = both.forward(x)[1](grad)
    expected = conv.forward(x)[1](grad[:, :3]) + other.forward(x)[1](grad[:, 3:])
    np.testing.assert_allclose(gx, expected, rtol=1e-12, atol=1e-12)
    gx = nn.Residual(conv, other[1:] if isinstance(other, nn.Sequential) else None).forward(x)[1](x)
    np.testing.assert_allclose(gx, x + conv.forward(x)[1](x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        ({"a": (nn.ReLU(), "b"), "b": (nn.ReLU(), "a")}, ValueError, "cycle: (a -> b|b -> a)"),
        ({"a": (nn.ReLU(), "a")}, ValueError, "cycle: a -> a"),
        ({"a": (nn.ReLU(), "nobody")}, ValueError, "a takes 'nobody', which nothing gives"),
        ({"input": (nn.ReLU(), "input")}, ValueError, "both an input and a node"),
        ({"a.b": (nn.ReLU(), "input")}, ValueError, "cannot be named 'a.b'"),
        ({"a:1": (nn.ReLU(), "input")}, ValueError, "cannot be named 'a:1'"),
        ({"forward": (nn.ReLU(), "input")}, ValueError, "cannot be named 'forward'"),
        ({"a": nn.ReLU()}, TypeError, "node a must be a tuple"),
        ({"a": ("relu", "input")}, TypeError, "layer a must be a Module"),
    ],
)
def test_wrong_nodes(nodes, error, message):
    with pytest.raises(error, match=message):
        Graph(nodes)


def test_wrong_calls():
    with pytest.raises(ValueError, match="output takes 'b', which nothing gives"):
        Graph({"a": (nn.ReLU(), "input")}, outputs=["b"])
    with pytest.raises(TypeError, match=r"Graph: takes 1 inputs \(input\), got 2"):
        Graph({"a": (nn.ReLU(), "input")})(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="at least one branch"):
        nn.Concat()
    _, backward = diamond().forward(np.ones(1))
    backward(np.ones(1))
    with pytest.raises(RuntimeError, match="already run"):
        backward(np.ones(1))


# ---------------------------------------------------------------------------- trace


def test_trace_goes_through_all_containers():
    inner = Graph(
        {"split": (Split(), "x"), "sum": (nn.Add(), "split:0", "split:1")},
        inputs=["x"],
        outputs=["sum", "split:1"],
    )
    relu = nn.ReLU()
    model = Graph(
        {
            "stem": (nn.Sequential(relu, relu), "input"),
            "inner": (inner, "stem"),
            "out": (nn.Residual(nn.Sequential()), "inner:1"),
            "end": (nn.Add(), "out", "inner:0"),
        },
        outputs=["end", "stem"],
    )
    calls, inputs, outputs = trace(model)
    assert [(call.name, call.sources) for call in calls] == [
        ("stem.0", ("input",)),
        ("stem.1", ("stem.0",)),
        ("inner.split", ("stem.1",)),
        ("inner.sum", ("inner.split:0", "inner.split:1")),
        ("out.add", ("inner.split:1", "inner.split:1")),
        ("end", ("out.add", "inner.sum")),
    ]
    assert inputs == ("input",)
    assert outputs == ("end", "stem.1")
    assert calls[0].module is calls[1].module is relu


def test_trace_of_what_is_no_container():
    assert [(call.name, call.sources) for call in trace(nn.ReLU()).calls] == [("", ("input",))]

    class Own(nn.Sequential):
        def __call__(self, x):
            return super().__call__(x) + 1

    model = nn.Sequential({"own": Own(nn.ReLU())})
    assert [call.name for call in trace(model).calls] == ["own"]
    assert trace(nn.Sequential()).outputs == ("input",)


def test_replay_gives_what_each_call_takes_and_gives():
    model = Graph(
        {
            "halves": (Split(), "input"),
            "inner": (nn.Sequential(Scale(2), Scale(3)), "halves:1"),
            "sum": (nn.Add(), "halves:0", "inner"),
        },
        outputs=["sum", "halves:1"],
    )
    x = np.array([1.0, 2.0])
    seen = [
        (call.name, [t.tolist() for t in taken], {n: v.tolist() for n, v in given.items()})
        for call, taken, given in replay(trace(model), [x])
    ]
    assert seen == [
        ("halves", [[1, 2]], {"halves:0": [1], "halves:1": [2]}),
        ("inner.0", [[2]], {"inner.0": [4]}),
        ("inner.1", [[4]], {"inner.1": [12]}),
        ("sum", [[1], [12]], {"sum": [13]}),
    ]


def test_replay_lets_go_of_values():
    made = []
    layers = [Watched(made) for _ in range(4)]
    for _ in replay(trace(nn.Sequential(*layers)), [np.zeros(1)]):
        pass
    assert made[3][1] == [False, True, True]  # this loop still holds what the last call took


def test_every_activation_is_elementwise():
    layers = {
        kind
        for kind in vars(nn.activation).values()
        if isinstance(kind, type) and kind.__module__ == nn.activation.__name__
    }
    assert {kind for kind in layers if not kind.__name__.startswith("_")} <= set(ELEMENTWISE)
