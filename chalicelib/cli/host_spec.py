"""Which spec a command means: a crate by its name, or a file of Python that has one.

A file has `spec`: a resource, a spec, a list of them, or a function that returns one of these and
whose arguments `--set` gives. It is run as it is, with the rights of whoever runs this command.
"""

import argparse
import inspect
import runpy
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec as find_module
from pathlib import Path
from typing import Any, get_type_hints

from chalicelib.errors import BerthError, SpecError
from chalicelib.hostspec import Part, Resource, Spec

__all__ = ["add_spec_arguments", "find_spec", "load_spec"]

_CRATES = "chalicelib.hostspec.crates"
_SWITCH = {"true": True, "yes": True, "false": False, "no": False}


def add_spec_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which spec."""
    parser.add_argument(
        "spec", metavar="SPEC", help="a file of Python with `spec` in it, or the name of a crate"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give an argument of the spec; repeat for more",
    )


def find_spec(asked: argparse.Namespace) -> Spec:
    """Return the spec that the arguments ask for; as `load_spec`."""
    return load_spec(asked.spec, asked.set)


def load_spec(name: str, settings: Sequence[str] = ()) -> Spec:
    """Return a spec.

    Args:
        name: of a crate, or the path of a file.
        settings: its arguments, as `name=value`.

    Raises:
        SpecError: there is none; the file cannot be run, with the line; an argument does not fit;
            or its resources cannot be one host's.
    """
    given = [_pair(each) for each in settings]
    found = _found(name)
    if callable(found) and not isinstance(found, Resource | Spec):
        part: Part = _call(found, dict(given), name)
    elif given:
        raise SpecError(reason=f"{name}: takes no argument, and was given {given[0][0]}")
    else:
        part = found
    return Spec(part)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise SpecError(reason=f"--set {text!r}: it is --set NAME=VALUE")
    return name, value


def _found(name: str) -> Any:
    if name.isidentifier() and find_module(f"{_CRATES}.{name}"):
        return getattr(import_module(f"{_CRATES}.{name}"), name)
    if not Path(name).is_file():
        raise SpecError(reason=f"{name}: there is no such file, and no such crate")
    try:
        variables = runpy.run_path(name)
    except BerthError as error:
        raise SpecError(reason=f"{name}: {error}") from error
    except Exception as error:
        raise SpecError(reason=f"{name}{_line(error, name)}: {_said(error)}") from error
    if "spec" not in variables:
        raise SpecError(reason=f"{name}: there is no `spec` in it")
    return variables["spec"]


def _line(error: BaseException, name: str) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == name]
    return f":{lines[-1]}" if lines else ""


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _call(function: Any, given: Mapping[str, str], name: str) -> Part:
    parameters = inspect.signature(function).parameters
    for each in given:
        if each not in parameters:
            known = ", ".join(parameters) or "none"
            raise SpecError(reason=f"{name}: there is no argument {each}; there are: {known}")
    hints = get_type_hints(function)
    values = {each: _value(each, text, hints.get(each, str)) for each, text in given.items()}
    missing = [
        each.name
        for each in parameters.values()
        if each.default is each.empty
        and each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
        and each.name not in values
    ]
    if missing:
        raise SpecError(reason=f"{name}: needs --set {' --set '.join(f'{m}=…' for m in missing)}")
    part: Part = function(**values)
    return part


def _value(name: str, text: str, kind: Any) -> object:
    """Return an argument as its annotation wants it; several words where it wants a tuple of them."""
    try:
        if kind is bool:
            return _SWITCH[text]
        if kind is int:
            return int(text)
    except (KeyError, ValueError):
        wanted = "true or false" if kind is bool else "a number"
        raise SpecError(reason=f"--set {name}={text}: {wanted} is wanted") from None
    if kind in {tuple[str, ...], Sequence[str]}:
        return tuple(filter(None, text.split(",")))
    return text
