"""One name for what each system does in its own way: chosen when the script is rendered."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.errors import ShellError
from chalicelib.shell.commands import Node, ScriptCall

__all__ = ["ScriptFunction", "script_function"]


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
