"""Each kind of resource is led through its whole life on a host, or it is said why not."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from chalicelib.hostspec import Resource, resources

_HERE = Path(__file__).parent
_KINDS = frozenset(
    name
    for name in resources.__all__
    if isinstance(made := getattr(resources, name), type) and issubclass(made, Resource)
)
_OTHERWISE = {
    "Command": ("test_a_command_is_undone", "it has run or has not: nothing of it can change"),
    "Ext4Settings": ("test_settings_of_ext4_are_kept", "it is made with its filesystem"),
    "LxdGolden": ("test_a_golden_container_is_started_once_and_copied", "each making takes 5 s"),
    "LxdServer": ("test_the_server_is_set_and_keeps_what_others_have_set", "it is always there"),
}
"""Kinds whose life has another shape than that of `live`: the test that shows it, and why."""


def _lives(path: Path) -> Iterator[str]:
    """Yield the kinds of which a file of tests has `live` lead one from first to last."""
    tree = ast.parse(path.read_text())
    outside = _meanings(tree.body)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {**outside, **_meanings(ast.walk(function))}
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "live":
                yield from {_kind(each, known) for each in call.args[1:3]}


def _meanings(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """Return what names stand for: the value that they are given, or the type that they return."""
    found: dict[str, ast.expr] = {}
    for each in nodes:
        match each:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                found.update(zip(map(ast.unparse, names), values, strict=True))
            case ast.Assign(targets=[name], value=value):
                found[ast.unparse(name)] = value
            case ast.FunctionDef(name=name, returns=ast.expr() as returns):
                found[name] = returns
            case _:
                pass
    return found


def _kind(node: ast.expr, known: Mapping[str, ast.expr]) -> str:
    """Return the kind that an expression makes; nothing if that cannot be told."""
    match node:
        case ast.Call(func=ast.Name(id="replace"), args=[first, *_]):
            return _kind(first, known)
        case ast.Call(func=made):
            return _kind(made, known)
        case ast.Name(id=name) if name in _KINDS:
            return name
        case ast.Name(id=name) if name in known:
            return _kind(known[name], {**known, name: ast.Constant(None)})
        case _:
            return ""


_TESTS = {path: path.read_text() for path in sorted(_HERE.rglob("test_*.py"))}
_LIVES = frozenset(kind for path in _TESTS for kind in _lives(path))


@pytest.mark.parametrize("kind", sorted(_KINDS - set(_OTHERWISE)))
def test_each_kind_has_a_life(kind: str) -> None:
    """From nothing, again, changed, repaired, removed, removed again: a new kind has to show it."""
    assert kind in _LIVES


@pytest.mark.parametrize("kind", sorted(_OTHERWISE))
def test_each_kind_with_a_life_of_another_shape_has_a_test_of_it(kind: str) -> None:
    test, _ = _OTHERWISE[kind]

    assert kind in _KINDS - _LIVES
    assert [path for path, text in _TESTS.items() if f"def {test}(" in text and kind in text]
