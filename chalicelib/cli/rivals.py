"""The libraries that benchmarks measure Berth beside: installed for these alone, when first needed."""

import site

from chalicelib.local.install import Environment, is_current, make_current
from chalicelib.local.places import ROOT
from chalicelib.local.progress import Progress

__all__ = ["make_importable"]

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
