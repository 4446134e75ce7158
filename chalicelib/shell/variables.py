"""Variables and substitutions: set, refer to, with every default form, always quoted."""

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Expression, check_name, num
from chalicelib.shell.commands import Assign, Command, Node, Script, Subshell
from chalicelib.shell.lists import Item, nodes
from chalicelib.shell.words import Calculated, Output, Parameter, Split, Word, single_word

__all__ = [
    "argument_count",
    "arguments",
    "assign",
    "compute",
    "env",
    "export",
    "last_background",
    "last_status",
    "length",
    "local",
    "output",
    "positional",
    "ref",
    "split",
]

_FORMS = {
    "if_unset": "-",
    "if_empty": ":-",
    "assign_if_unset": "=",
    "assign_if_empty": ":=",
    "fail_if_unset": "?",
    "fail_if_empty": ":?",
    "if_set": "+",
    "if_not_empty": ":+",
}


def _parameter(name: str, forms: dict[str, object]) -> Parameter:
    if not forms:
        return Parameter(name)
    if len(forms) > 1 or not forms.keys() <= _FORMS.keys():
        raise ShellError(reason=f"a reference takes one form of: {', '.join(_FORMS)}")
    form, value = next(iter(forms.items()))
    return Parameter(name, _FORMS[form], single_word(value))


def ref(name: str, **form: object) -> Parameter:
    """Return the value of a variable; nothing if it is unset.

    Args:
        name: the variable.
        form: at most one of `if_unset` (`-`), `if_empty` (`:-`, also when unset),
            `assign_if_unset` (`=`), `assign_if_empty` (`:=`), `fail_if_unset` (`?`),
            `fail_if_empty` (`:?`), `if_set` (`+`), `if_not_empty` (`:+`), with a word.

    Raises:
        ShellError: a bad name, form or word.
    """
    check_name(name)
    return _parameter(name, form)


def positional(number: int, **form: object) -> Parameter:
    """Return an argument of the script or function, from 1; 0 is the script. Forms as in `ref`."""
    return _parameter(str(number), form)


def arguments() -> Parameter:
    """Return all arguments, each a word of its own: `"$@"`."""
    return Parameter("@")


def argument_count() -> Parameter:
    """Return how many arguments there are."""
    return Parameter("#")


def last_status() -> Parameter:
    """Return the exit status of the last command."""
    return Parameter("?")


def last_background() -> Parameter:
    """Return the process id of the last command in the background."""
    return Parameter("!")


def length(name: str) -> Parameter:
    """Return how many characters a variable holds (bytes, in dash)."""
    return Parameter(check_name(name), "#")


def assign(name: str, value: object) -> Assign:
    """Return the setting of a variable.

    Raises:
        ShellError: a bad name, or no single word.
    """
    return Assign(((name, single_word(value)),))


def export(name: str, value: object) -> Assign:
    """Return the setting of a variable that programs will see."""
    return Assign(((name, single_word(value)),), "export")


def local(name: str, value: object = None) -> Assign:
    """Return the declaration of a variable of a function; without a value, just that."""
    return Assign(((name, None if value is None else single_word(value)),), "local")


def env(item: Item, /, **variables: object) -> Node:
    """Return the command with variables in its environment, and in no one else's.

    A plain command gets them in front (if it names a function or a special builtin, POSIX lets
    them outlive it). Anything else runs in a subshell.
    """
    pairs = tuple((name, single_word(value)) for name, value in variables.items())
    found = nodes([item])
    if len(found) == 1 and isinstance(found[0], Command):
        return Command(found[0].words, (*pairs, *found[0].environment))
    exports = [Assign((pair,), "export") for pair in pairs]
    return Subshell(Script((*exports, *found)))


def output(*items: Item) -> Output:
    """Return what the commands print, less its final newlines, as one word."""
    return Output(Script(nodes(items)))


def split(part: Parameter | Output) -> Split:
    """Return a value unquoted: split at `$IFS`, wildcards expanded. Only where that is wanted."""
    return Split(part)


def compute(expression: Expression | int) -> Word:
    """Return the value of an expression."""
    return Calculated(expression if isinstance(expression, Expression) else num(expression))
