"""Functions with named arguments and optional flags, and aliases."""

from dataclasses import dataclass

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import check_name
from chalicelib.shell.commands import (
    Alias,
    Assign,
    Branch,
    Command,
    FunctionDefinition,
    Node,
    Script,
)
from chalicelib.shell.conditions import equal, num_gt, num_lt
from chalicelib.shell.flow import branch, break_, case, return_, when, while_
from chalicelib.shell.lists import Item, nodes, q
from chalicelib.shell.printing import println
from chalicelib.shell.quoting import KEYWORDS
from chalicelib.shell.redirections import duplicate, redirect
from chalicelib.shell.variables import argument_count, assign, positional, ref
from chalicelib.shell.words import AnyCharacter, AnyText, Text, Word, join, single_word, words

__all__ = ["Flag", "Function", "alias", "flag", "flag_is_set", "function", "option"]

_USAGE = 2
_SPECIAL = frozenset(
    [
        "break",
        "continue",
        "eval",
        "exec",
        "exit",
        "export",
        "readonly",
        "return",
        "set",
        "shift",
        "times",
        "trap",
        "unset",
        "local",
    ]
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of a function. Without a value of its own it is `true` when given, else `false`."""

    name: str
    short: str
    default: Word
    takes_value: bool

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.short and not (
            len(self.short) == 1 and self.short.isascii() and self.short.isalnum()
        ):
            raise ShellError(reason=f"a short flag is a letter or a digit, not {self.short!r}")

    @property
    def spellings(self) -> list[str]:
        """How it is written: `-p`, `--port`."""
        return [*([f"-{self.short}"] if self.short else []), f"--{self.name.replace('_', '-')}"]


def flag(name: str, short: str = "") -> Flag:
    """Return a flag that is given or not; see `flag_is_set`."""
    return Flag(name, short, Text("false"), takes_value=False)


def option(name: str, short: str = "", *, default: object = "") -> Flag:
    """Return a flag that takes a value, in the variable of its name."""
    return Flag(name, short, single_word(default), takes_value=True)


def flag_is_set(name: str) -> Node:
    """Return the condition that a flag was given."""
    return equal(ref(name), "true")


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `definition` makes it known to the script, `call` runs it."""

    name: str
    parameters: tuple[str, ...]
    flags: tuple[Flag, ...]
    body: Node

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.name in KEYWORDS | _SPECIAL:
            raise ShellError(reason=f"{self.name} is taken by the shell")
        names = [check_name(each) for each in self.parameters]
        names += [each.name for each in self.flags]
        spellings = [each for one in self.flags for each in one.spellings]
        if len(set(names)) < len(names) or len(set(spellings)) < len(spellings):
            raise ShellError(reason=f"{self.name} has two arguments or flags of one name")

    @property
    def definition(self) -> Node:
        """The definition. Named arguments and flags are local variables of the body.

        A call with too few arguments or an unknown flag says so and returns 2. What is left after
        the named arguments is in `arguments()`.
        """
        reading = [_declare(self), *_read_flags(self), *_read_parameters(self)]
        return FunctionDefinition(self.name, Script((*reading, self.body)))

    def call(self, *arguments: object, **flags: object) -> Command:
        """Return a call. `True` gives a flag, `False` leaves it out; options get their values.

        Raises:
            ShellError: the function has no such flag, or not that many arguments are given.
        """
        given = words(arguments)
        known = {each.name: each for each in self.flags}
        spelled: list[object] = []
        for name, value in flags.items():
            if name not in known:
                raise ShellError(reason=f"{self.name} has no flag {name}")
            spelled += _spelled(known[name], value)
        ended = ["--"] if self.flags else []
        return Command(words([self.name, *spelled, *ended, *given]))


def function(
    name: str, *body: Item, parameters: tuple[str, ...] = (), flags: tuple[Flag, ...] = ()
) -> Function:
    """Return a function of the script.

    Raises:
        ShellError: a name that the shell would not take, or one used twice.
    """
    return Function(name, parameters, flags, Script(nodes(body)))


def alias(name: str, item: Item) -> Node:
    """Name a command. Only interactive shells use aliases, and those that are told to."""
    return Alias(name, q(item))


def _spelled(one: Flag, value: object) -> list[object]:
    if one.takes_value:
        return [one.spellings[-1], single_word(value)]
    if not isinstance(value, bool):
        raise ShellError(reason=f"the flag {one.name} takes True or False")
    return [one.spellings[-1]] if value else []


def _declare(function: Function) -> Node:
    flags = tuple((each.name, each.default) for each in function.flags)
    names = tuple((each, None) for each in function.parameters)
    return Assign((*flags, *names), "local") if flags or names else Script(())


def _complain(function: Function, *what: object) -> tuple[Node, Node]:
    said = redirect(println(join(f"{function.name}: ", *what)), duplicate(1, 2))
    return said, return_(_USAGE)


def _read_flags(function: Function) -> list[Node]:
    if not function.flags:
        return []
    unknown = join("-", AnyCharacter(), AnyText())
    choice = case(
        positional(1),
        *[_flag_branch(function, each) for each in function.flags],
        branch("--", q("shift"), break_()),
        branch(unknown, *_complain(function, "unknown flag: ", positional(1))),
        branch(AnyText(), break_()),
    )
    return [while_(num_gt(argument_count(), 0), choice)]


def _flag_branch(function: Function, one: Flag) -> Branch:
    if not one.takes_value:
        return branch(one.spellings, assign(one.name, "true"), q("shift"))
    missing = _complain(function, positional(1), " needs a value")
    return branch(
        one.spellings,
        when(num_lt(argument_count(), 2), *missing),
        assign(one.name, positional(2)),
        q("shift 2"),
    )


def _read_parameters(function: Function) -> list[Node]:
    count = len(function.parameters)
    if not count:
        return []
    names = " ".join(function.parameters)
    few = when(num_lt(argument_count(), count), *_complain(function, f"needs {names}"))
    values = tuple((name, positional(number)) for number, name in enumerate(function.parameters, 1))
    return [few, Assign(values), Command((Text("shift"), Text(str(count))))]
