"""The modules of an assignment folder, before and after `install`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import cnnfast

FOLDER = {
    "__init__.py": "",
    "im2col.py": """
        import numpy as np

        def im2col_indices(x):
            return "the folder's own"
    """,
    "im2col_cython.pyx": "# not compiled, and not to be",
    "fast_layers.py": """
        import numpy as np

        try:
            from .im2col_cython import col2im_cython, im2col_cython
            from .im2col_cython import col2im_6d_cython
        except ImportError:
            print("please compile the extension")

        from .im2col import *

        def conv_forward_fast(x, w, b, conv_param):
            return im2col_cython(x, 3, 3, 1, 1), None

        def conv_backward_fast(dout, cache):
            return col2im_6d_cython(dout)

        def max_pool_forward_fast(x, pool_param):
            return im2col(x), None

        def max_pool_backward_fast(dout, cache):
            return None
    """,
    "layers.py": """
        import numpy as np

        def relu_forward(x):
            return np.maximum(0, x), x

        def relu_backward(dout, cache):
            return dout * (cache > 0)
    """,
    "layer_utils.py": """
        from .layers import *
        from .fast_layers import *

        def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
            a, conv_cache = conv_forward_fast(x, w, b, conv_param)
            s, relu_cache = relu_forward(a)
            out, pool_cache = max_pool_forward_fast(s, pool_param)
            return out, (conv_cache, relu_cache, pool_cache)

        def conv_relu_pool_backward(dout, cache):
            conv_cache, relu_cache, pool_cache = cache
            ds = max_pool_backward_fast(dout, pool_cache)
            return conv_backward_fast(relu_backward(ds, relu_cache), conv_cache)
    """,
    "classifiers/__init__.py": "",
    "classifiers/cnn.py": """
        import numpy as np

        from ..layers import *
        from ..fast_layers import *
        from ..layer_utils import *
    """,
}

# What a notebook does once the package is set up.
USE = """
    import numpy as np
    from cs231n.layer_utils import conv_relu_pool_forward, conv_relu_pool_backward

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 16, 16)), rng.standard_normal((3, 3, 3, 3))
    out, cache = conv_relu_pool_forward(
        x, w, np.arange(3), {"stride": 1, "pad": 1},
        {"pool_height": 2, "pool_width": 2, "stride": 2},
    )
    dx, dw, db = conv_relu_pool_backward(np.ones_like(out), cache)
    # In the direction of a random step the loss changes as its gradient says.
    step = rng.standard_normal(w.shape)
    def loss(t):
        return conv_relu_pool_forward(x, w + t * step, np.arange(3), *settings)[0].sum()
    settings = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}
    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert abs(slope - (dw * step).sum()) < 1e-5 * abs(slope), (slope, (dw * step).sum())
    assert out.shape == (2, 3, 8, 8) and dx.shape == x.shape and db.shape == (3,)
"""
INSTALL = """
    from cnnfast.compat import cs231n as course
    course.install()
"""


@pytest.fixture
def run(tmp_path):
    """Run lines of Python in an assignment folder; returns what they print."""
    for name, text in FOLDER.items():
        path = tmp_path / "cs231n" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))

    def run(*scripts: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(dedent(script) for script in scripts)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(cnnfast.__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    run.folder = tmp_path
    return run


def test_the_folder_alone_asks_to_be_compiled(run):
    assert run("from cs231n.fast_layers import *").strip() == "please compile the extension"
    assert "NameError" in run(USE, fails=True)


def test_the_folder_after_install(run):
    check = """
        import sys, cs231n
        from cs231n.fast_layers import conv_forward_fast, max_pool_backward_fast
        from cs231n.im2col_cython import col2im_6d_cython
        import cs231n.classifiers.cnn

        assert conv_forward_fast is course.conv_forward_fast
        assert col2im_6d_cython is cs231n.fast_layers.col2im_6d_cython is course.col2im_6d_cython
        assert cs231n.fast_layers is sys.modules["cs231n.fast_layers"]
        assert cs231n.im2col_cython is sys.modules["cs231n.im2col_cython"]
        assert cs231n.layer_utils.conv_forward_fast is course.conv_forward_fast
        assert cs231n.classifiers.cnn.im2col_cython is course.im2col_cython
        assert cs231n.fast_layers.__file__.startswith(course.__path__[0])
    """
    assert run(INSTALL, USE, check) == ""


def test_star_import_hands_on_what_the_courses_file_does(run):
    check = """
        from cs231n.fast_layers import *
        assert im2col_indices(None) == "the folder's own"
        np.zeros(1)
        for name in set(course.__all__) - {"install"}:
            assert globals()[name] is getattr(course, name), name
        assert "install" not in globals()
    """
    assert run(INSTALL, check) == ""


def test_a_folder_without_im2col(run):
    (run.folder / "cs231n" / "im2col.py").unlink()
    assert run(INSTALL, USE) == ""


@pytest.mark.parametrize(
    "imports",
    [
        "import cs231n",
        "import cs231n.fast_layers",
        "import cs231n.layer_utils, cs231n.classifiers.cnn",
        "from cs231n.fast_layers import *; from cs231n.layer_utils import *",
        "from cs231n.fast_layers import conv_forward_fast as mine; import cs231n.layer_utils",
    ],
)
def test_install_after_import(run, imports):
    check = """
        import sys
        held = [
            value for name, module in list(sys.modules.items())
            if name == "__main__" or name.split(".")[0] == "cs231n"
            for value in list(vars(module).values())
            if getattr(value, "__name__", "") == "conv_forward_fast"
        ]
        assert held and all(value is course.conv_forward_fast for value in held), held
    """
    printed = run(imports, INSTALL, USE, check)
    assert printed.strip() in ("", "please compile the extension")


def test_install_outranks_a_compiled_extension(run):
    """Or anything else of its name, loaded already or not."""
    (run.folder / "cs231n" / "im2col_cython.py").write_text(
        "def im2col_cython(*args): ...\ncol2im_cython = im2col_cython\ncol2im_6d_cython = None\n"
    )
    check = """
        import cs231n.im2col_cython, cs231n.fast_layers
        assert cs231n.im2col_cython.im2col_cython is course.im2col_cython
        assert cs231n.fast_layers.col2im_6d_cython is course.col2im_6d_cython
    """
    assert run(INSTALL, check) == ""
    assert run("import cs231n.fast_layers", INSTALL, check, USE) == ""


def test_reload_as_autoreload_does(run):
    check = """
        import importlib
        import cs231n.classifiers.cnn
        for module in (
            cs231n, cs231n.layers, cs231n.im2col, cs231n.im2col_cython, cs231n.fast_layers,
            cs231n.layer_utils, cs231n.classifiers.cnn,
        ):
            assert importlib.reload(module) is module
        assert cs231n.fast_layers.conv_forward_fast is course.conv_forward_fast
        assert cs231n.layer_utils.im2col_cython is course.im2col_cython
    """
    assert run(INSTALL, check, USE) == ""


def test_install_twice_is_install_once(run):
    check = """
        import sys
        finders = list(sys.meta_path)
        import cs231n.fast_layers as before
        course.install()
        assert sys.meta_path == finders
        import cs231n.fast_layers as after
        assert before is after
    """
    assert run(INSTALL, check, USE) == ""


def test_install_without_a_folder(run, tmp_path):
    (run.folder / "cs231n").rename(run.folder / "elsewhere")
    message = run(INSTALL, "import cs231n.fast_layers", fails=True)
    assert "ModuleNotFoundError: No module named 'cs231n'" in message
