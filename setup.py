"""Builds the compiled extensions; everything declarative stands in pyproject.toml."""

import os
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

EXT = "cnnfast/_ext"
SOURCES = {
    "dispatch": sorted(glob(f"{EXT}/simd/*.c")),
    "threads": [f"{EXT}/parallel.c", f"{EXT}/recording.c"],
    "columns": [],
    "conv": [],
    "conv_few": [],
    "conv_narrow": [],
    "conv_planes": [],
    "conv_weights": [],
    "conv_weights_depthwise": [],
    "conv_weights_few": [],
    "elementwise": [],
    "global_pool": [],
    "linear": [],
    "lrn": [],
    "norm": [],
    "optimizers": [],
    "pool": [],
    "resample": [],
    "scatter": [],
    "softmax": [],
    "winograd": [],
    "winograd_weights": [],
    "workspace": [f"{EXT}/heap.c", f"{EXT}/memory.c"],
}


class BuildExt(build_ext):
    """Builds extensions, and the sources of each, side by side; with OpenMP where there is one."""

    def initialize_options(self):
        super().initialize_options()
        self.parallel = True  # as many at once as there are processors

    def build_extensions(self):
        flags = self.find_openmp_flags()
        if flags is None:
            warnings.warn(
                "the C compiler has no OpenMP: limits on threads that are set through it while "
                "a program runs (threadpoolctl) will not be seen",
                stacklevel=1,
            )
        for extension in self.extensions:
            if extension.name.endswith(".threads"):
                compile_args, link_args = flags or ([], [])
                extension.extra_compile_args += ["-pthread", *compile_args]
                extension.extra_link_args += ["-pthread", *link_args]
        self.compiler.compile = side_by_side(self.compiler.compile)
        super().build_extensions()

    def find_openmp_flags(self):
        """Compile, link and try each known spelling; None if there is no OpenMP."""
        candidates = [(["-fopenmp"], ["-fopenmp"])]
        if sys.platform == "darwin":
            candidates.append((["-Xpreprocessor", "-fopenmp"], ["-lomp"]))
        program = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "openmp.c")
            source.write_text(program)
            for compile_args, link_args in candidates:
                try:
                    objects = self.compiler.compile(
                        [str(source)], output_dir=folder, extra_postargs=compile_args
                    )
                    self.compiler.link_executable(
                        objects, "openmp", output_dir=folder, extra_postargs=link_args
                    )
                    subprocess.run([os.path.join(folder, "openmp")], check=True)
                except Exception:  # distutils raises a different class for each compiler
                    continue
                return compile_args, link_args
        return None


def side_by_side(compile_in_turn):
    """Compile the sources of one extension at once: those of `dispatch` are most of the work."""

    def compile_at_once(sources, *args, **kwargs):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = pool.map(lambda source: compile_in_turn([source], *args, **kwargs), sources)
            return [one for some in objects for one in some]

    return compile_at_once


def extension(name, c_sources):
    return Extension(
        f"cnnfast._ext.{name}",
        [f"{EXT}/{name}.pyx", *c_sources],
        include_dirs=[EXT],
        depends=glob(f"{EXT}/*.h") + glob(f"{EXT}/*.pxd") + glob(f"{EXT}/simd/*.h"),
        extra_compile_args=[
            "-O3",
            "-g0",
            "-std=gnu11",
            "-fno-math-errno",
            "-fvisibility=hidden",
            *extra_flags(),
        ],
        extra_link_args=extra_flags(),
    )


def extra_flags():
    """Flags of a special build, e.g. CNNFAST_CFLAGS="-fsanitize=address" for the sanitizers."""
    return os.environ.get("CNNFAST_CFLAGS", "").split()


setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=cythonize(
        [extension(name, sources) for name, sources in SOURCES.items()],
        compiler_directives={
            "language_level": "3",
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    ),
)
