"""One name for what each system does in its own way: chosen when the script is rendered."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from chalicelib.errors import ShellError
from chalicelib.shell.commands import Node, ScriptCall

__all__ = ["ScriptFunction", "choose", "chosen", "script_function"]


@dataclass(frozen=True, slots=True)
class ScriptFunction:
    """A command with one implementation for each set of facts about a system. Call it."""

    name: str
    implementations: tuple[tuple[frozenset[str], Callable[..., Node]], ...]

    def __call__(self, *arguments: object) -> Node:
        """Return the command; which one is decided by the facts that `render` gets.

        Raises:
            ShellError: an implementation does not take these arguments.
        """
        for _, build in self.implementations:
            try:
                inspect.signature(build).bind(*arguments)
            except TypeError as error:
                raise ShellError(reason=f"{self.name}: {error}") from error
        return ScriptCall(self.name, self.implementations, arguments)


def script_function(
    name: str, implementations: Mapping[str | frozenset[str], Callable[..., Node]]
) -> ScriptFunction:
    """Return a script function.

    Args:
        name: for messages.
        implementations: by a fact (`"debian"`), or several that must all be known; the empty set
            is the default. Of those that fit, the one that asks for most facts is taken; none, or
            two that ask for as many, is an error of rendering.

    >>> from chalicelib.shell import q, render, script_function
    >>> install = script_function("install", {
    ...     "debian": lambda package: q("apt-get install -y {package}", package=package),
    ...     "alpine": lambda package: q("apk add {package}", package=package),
    ... })
    >>> print(render(install("git"), facts={"alpine", "x86_64"}))
    apk add git
    """
    pairs = [
        (frozenset([facts]) if isinstance(facts, str) else frozenset(facts), build)
        for facts, build in implementations.items()
    ]
    if len({facts for facts, _ in pairs}) < len(pairs):
        raise ShellError(reason=f"{name} has two implementations for the same facts")
    return ScriptFunction(name, tuple(pairs))


def choose(call: ScriptCall, facts: frozenset[str]) -> Node:
    """Return what the implementation says that asks for most of the facts.

    Raises:
        ShellError: none fits, or two ask for as many.
    """
    known = ", ".join(sorted(facts)) or "no facts"
    fitting = [(len(needs), build) for needs, build in call.implementations if needs <= facts]
    if not fitting:
        raise ShellError(reason=f"{call.function} has no implementation for {known}")
    most = max(count for count, _ in fitting)
    best = [build for count, build in fitting if count == most]
    if len(best) > 1:
        raise ShellError(reason=f"{call.function} has {len(best)} implementations for {known}")
    return best[0](*call.arguments)


def chosen(node: Node, facts: Iterable[str]) -> Node:
    """Return the command with each script function's choice in its place: facts no longer count.

    For whoever knows more of a system than what will render the command.

    >>> from chalicelib.shell import group, q, render
    >>> install = script_function("install", {"alpine": lambda: q("apk add git")})
    >>> print(render(chosen(group(install()), {"alpine"})))
    { apk add git; }

    Raises:
        ShellError: as `choose`.
    """
    found: Node = _chosen(node, frozenset(facts))
    return found


def _chosen(value: Any, facts: frozenset[str]) -> Any:
    if isinstance(value, ScriptCall):
        return _chosen(choose(value, facts), facts)
    if isinstance(value, tuple):
        made = tuple(_chosen(each, facts) for each in value)
        return made if any(new is not old for new, old in zip(made, value, strict=True)) else value
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        changed = {
            name: new for name, old in parts.items() if (new := _chosen(old, facts)) is not old
        }
        return replace(value, **changed) if changed else value
    return value
