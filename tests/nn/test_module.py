"""What every module can do: names, state, modes, copies, text."""

import copy
import pickle

import numpy as np
import pytest

from cnnfast import nn
from cnnfast.nn import Module, Parameter


class Block(Module):
    """A module with everything: own parameter, child, buffer, and attributes that are neither."""

    def __init__(self):
        self.scale = Parameter(np.full(2, 2.0, np.float32))
        self.fc = nn.Linear(2, 2, rng=np.random.default_rng(0))
        self.register_buffer("mean", np.zeros(2, np.float32))
        self.register_buffer("count", np.array(3))
        self.note = np.ones(2)
        self.nothing = None

    def __call__(self, x):
        return self.fc(x)

    def forward(self, x):
        return self.fc.forward(x)


class Net(Module):
    def __init__(self):
        self.first = Block()
        self.last = nn.Sequential(nn.Flatten(), nn.Linear(2, 3), nn.Dropout())


NAMES = ["first.scale", "first.fc.weight", "first.fc.bias", "last.1.weight", "last.1.bias"]


def test_names_of_parameters_and_modules():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [p.shape for p in net.parameters()] == [(2,), (2, 2), (2,), (3, 2), (3,)]
    assert [name for name, _ in net.named_modules()] == [
        "",
        "first",
        "first.fc",
        "last",
        "last.0",
        "last.1",
        "last.2",
    ]
    assert list(net.modules())[1] is net.first
    assert [name for name, _ in net.named_children()] == ["first", "last"]


def test_names_of_buffers():
    net = Net()
    buffers = dict(net.named_buffers())
    assert list(buffers) == ["first.mean", "first.count"]
    assert buffers["first.mean"] is net.first.mean


def test_what_is_shared_is_named_once():
    net = Net()
    net.again = net.first
    net.tied = nn.Linear(2, 2)
    net.tied.weight = net.first.fc.weight
    net.back = net  # a cycle
    names = [name for name, _ in net.named_parameters()]
    assert names == [*NAMES, "tied.bias"]
    assert list(net.state_dict()) == [
        *NAMES[:1],
        "first.mean",
        "first.count",
        *NAMES[1:],
        "tied.bias",
    ]


def test_a_bare_module_says_what_it_lacks():
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines no __call__"):
        Empty()(np.ones(1))
    with pytest.raises(NotImplementedError, match="Empty defines no forward"):
        Empty().forward(np.ones(1))


def test_state_dict_holds_copies():
    net = Net()
    state = net.state_dict()
    assert set(state) == {*NAMES, "first.mean", "first.count"}
    state["first.scale"][:] = 9
    state["first.mean"][:] = 9
    assert net.first.scale.data.tolist() == [2, 2]
    assert net.first.mean.tolist() == [0, 0]


def test_load_state_dict_copies_everything():
    net, other = Net(), Net()
    state = other.state_dict()
    state["first.mean"][:] = 4
    state["first.count"][...] = 8
    result = net.load_state_dict(state)
    assert result.missing_keys == result.unexpected_keys == []
    for array in state.values():
        array[...] = 0
    for (name, p), (_, q) in zip(net.named_parameters(), other.named_parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data, err_msg=name)
        assert p.version == 1
    assert net.first.mean.tolist() == [4, 4]
    assert net.first.count == 8


def test_load_state_dict_from_a_file(tmp_path):
    net, other = Net(), Net()
    np.savez(tmp_path / "weights.npz", **other.state_dict())
    with np.load(tmp_path / "weights.npz") as state:
        net.load_state_dict(state)
    np.testing.assert_array_equal(net.first.fc.weight.data, other.first.fc.weight.data)


def test_load_state_dict_converts_floats():
    net = Net()
    state = {
        k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in net.state_dict().items()
    }
    for array in state.values():
        array.flags.writeable = False
    state["first.scale"] = np.array([0.5, 0.25])
    net.load_state_dict(state)
    assert net.first.scale.data.tolist() == [0.5, 0.25]
    assert net.first.scale.dtype == np.float32
    assert net.first.mean.dtype == np.float32


def unchanged(net, before):
    return all(np.array_equal(before[k], v) for k, v in net.state_dict().items()) and all(
        p.version == 0 for p in net.parameters()
    )


def test_load_state_dict_lists_every_problem_and_changes_nothing():
    net = Net()
    before = net.state_dict()
    state = Net().state_dict()
    del state["first.fc.weight"], state["first.mean"]
    state["head.weight"] = np.ones(3)
    state["extra"] = "text"
    state["last.1.bias"] = np.ones(4, np.float32)
    state["last.1.weight"] = np.ones((3, 2), np.int64)
    with pytest.raises(ValueError, match=r"Net.load_state_dict: .* nothing was loaded") as error:
        net.load_state_dict(state)
    assert str(error.value).splitlines()[1:] == [
        "  missing: first.mean",
        "  missing: first.fc.weight",
        "  unexpected: head.weight",
        "  unexpected: extra",
        "  shape: last.1.bias is (4,), expected (3,)",
        "  dtype: last.1.weight is int64, expected float32",
    ]
    assert unchanged(net, before)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("first.scale", np.ones(2, np.float16), "float16"),
        ("first.scale", np.ones(2, ">f4"), ">f4"),
        ("first.scale", [1.0, 1.0], "list"),
        ("first.count", np.array(3.0), "float64"),
    ],
)
def test_load_state_dict_converts_nothing_else(name, value, found):
    net = Net()
    before = net.state_dict()
    with pytest.raises(TypeError, match=f"dtype: {name} is {found}"):
        net.load_state_dict({**Net().state_dict(), name: value})
    assert unchanged(net, before)


def test_load_state_dict_not_strict_tells_what_it_passed_over():
    net = Net()
    result = net.load_state_dict({"first.scale": np.ones(2), "other": np.ones(1)}, strict=False)
    assert result.missing_keys == [k for k in net.state_dict() if k != "first.scale"]
    assert result.unexpected_keys == ["other"]
    assert net.first.scale.data.tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"shape: first\.scale"):
        net.load_state_dict({"first.scale": np.ones(3)}, strict=False)


def test_load_state_dict_wants_a_mapping():
    with pytest.raises(TypeError, match="state must be a mapping of names to arrays, got list"):
        Net().load_state_dict([np.ones(2)])


def test_train_and_eval_reach_everything_and_return_the_module():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    assert not net.train(False).last[2].training
    assert Net().training


def test_zero_grad():
    net = Net()
    for p in net.parameters():
        p.grad = np.ones(p.shape, p.dtype)
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_astype_gives_a_converted_copy():
    net = Net()
    net.first.scale.requires_grad = False
    net.eval()
    wide = net.astype(np.float64)
    assert type(wide) is Net
    assert not wide.training
    assert {p.dtype for p in wide.parameters()} == {np.dtype(np.float64)}
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}
    assert wide.first.mean.dtype == np.float64
    assert wide.first.count.dtype == net.first.count.dtype
    assert not wide.first.scale.requires_grad
    np.testing.assert_array_equal(wide.first.fc.weight.data, net.first.fc.weight.data)
    # What was packed from the float32 values has no place here.
    assert wide.first.scale.version > net.first.scale.version
    with pytest.raises(ValueError, match="WRITEABLE"):
        wide.first.scale.data.setflags(write=True)
    x = np.ones((1, 2))
    assert wide.first(x).dtype == np.float64
    assert wide.astype("float32").first(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int32, np.float16, None, ">f4"])
def test_astype_float32_and_float64_only(dtype):
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        Net().astype(dtype)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(duplicate):
    net = Net().eval()
    net.again = net.first
    other = duplicate(net)
    assert other.again is other.first
    assert not other.training
    for p in other.parameters():
        p.assign(np.zeros(p.shape, p.dtype))
        p.accumulate(np.ones(p.shape, p.dtype))
    other.first.mean[:] = 1
    assert net.first.scale.data.tolist() == [2, 2]
    assert net.first.mean.tolist() == [0, 0]
    assert all(p.grad is None for p in net.parameters())


def test_register_buffer_wants_an_array():
    with pytest.raises(TypeError, match="register_buffer: mean must be a NumPy array, got list"):
        Module().register_buffer("mean", [0.0])


def test_repr_is_nested():
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Block(\n"
        "    (fc): Linear(2, 2)\n"
        "  )\n"
        "  (last): Sequential(\n"
        "    (0): Flatten()\n"
        "    (1): Linear(2, 3)\n"
        "    (2): Dropout(p=0.5)\n"
        "  )\n"
        ")"
    )

    class Described(nn.Sequential):
        def extra_repr(self):
            return "depth=1"

    assert repr(Described(nn.ReLU())) == "Described(\n  depth=1\n  (0): ReLU()\n)"


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            nn.Conv2d(4, 8, (3, 5), 2, "valid", (1, 2), 2, False, strict=True),
            "Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 2), padding='valid', dilation=(1, 2), "
            "groups=2, bias=False, strict=True)",
        ),
        (nn.Conv2d(1, 2, 3), "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"),
        (nn.MaxPool2d(3, 2, 1, 2), "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=2)"),
        (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d(kernel_size=2, stride=2, ceil_mode=True)"),
        (
            nn.AvgPool2d(2, (1, 2), count_include_pad=False, divisor_override=3, strict=True),
            "AvgPool2d(kernel_size=2, stride=(1, 2), count_include_pad=False, divisor_override=3, "
            "strict=True)",
        ),
        (nn.LPPool2d(2, 3), "LPPool2d(norm_type=2, kernel_size=3, stride=3)"),
        (nn.GlobalAvgPool2d(), "GlobalAvgPool2d()"),
        (nn.Linear(3, 4, bias=False), "Linear(3, 4, bias=False)"),
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.PReLU(3), "PReLU(num_parameters=3)"),
        (nn.ELU(), "ELU(alpha=1.0)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.SiLU(), "SiLU()"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Softmax(), "Softmax(dim=-1)"),
        (nn.LogSoftmax(1), "LogSoftmax(dim=1)"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
        (nn.HingeLoss(), "HingeLoss(margin=1.0)"),
    ],
)
def test_repr_of_layers(layer, text):
    assert repr(layer) == text
