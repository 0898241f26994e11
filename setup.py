"""Build the native modules; everything else about the project stands in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DISSECT = Path("src/medwarden/dissect")
FLOWCORE = Path("src/medwarden/flowcore")
LOGS = Path("src/medwarden/sensors/logs")

setup(
    ext_modules=cythonize(
        [
            Extension(
                "medwarden.flowcore._core",
                [str(FLOWCORE / "_core.pyx")],
                depends=sorted(str(part) for part in FLOWCORE.glob("*.pxi")),
                extra_compile_args=["-O3", "-fno-strict-aliasing", "-fvisibility=hidden"],
            ),
            Extension(
                "medwarden.dissect._core",
                [str(DISSECT / "_core.pyx")],
                depends=sorted(str(part) for part in DISSECT.glob("*.pxi")),
                extra_compile_args=["-O3", "-fno-strict-aliasing", "-fvisibility=hidden"],
            ),
            Extension(
                "medwarden.sensors.logs._columns",
                [str(LOGS / "_columns.pyx")],
                depends=sorted(str(part) for part in LOGS.glob("*.pxi")),
                extra_compile_args=["-O3", "-fno-strict-aliasing", "-fvisibility=hidden"],
            ),
        ],
        include_path=[str(DISSECT), str(FLOWCORE)],
    )
)
