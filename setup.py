"""Build the one native module; everything else about the project stands in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

FLOWCORE = Path("src/medwarden/flowcore")

setup(
    ext_modules=cythonize(
        [
            Extension(
                "medwarden.flowcore._core",
                [str(FLOWCORE / "_core.pyx")],
                depends=sorted(str(part) for part in FLOWCORE.glob("*.pxi")),
                extra_compile_args=["-O3", "-fno-strict-aliasing", "-fvisibility=hidden"],
            )
        ],
        include_path=[str(FLOWCORE)],
    )
)
