"""The libraries that benchmarks measure Berth beside: installed for these alone, when first needed."""

import site
from pathlib import Path

from chalicelib.local.install import Environment, is_current, make_current
from chalicelib.local.places import ROOT
from chalicelib.local.progress import Progress

__all__ = ["make_importable", "program"]

_RIVALS = Environment(
    name="the libraries to compare with",
    folder=".berth/bench",
    requirements=("requirements-bench.txt",),
)


def make_importable(progress: Progress) -> None:
    """Install them as pinned, unless they are there, and let this process import them."""
    if not is_current(ROOT, _RIVALS):
        make_current(ROOT, _RIVALS, progress)
    for folder in (ROOT / _RIVALS.folder).glob("lib/python*/site-packages"):
        site.addsitedir(str(folder))


def program(name: str) -> Path:
    """Return one of their programs, once `make_importable` has installed them."""
    return ROOT / _RIVALS.folder / "bin" / name
