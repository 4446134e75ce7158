"""What programs of a host in memory are given: options that are known, operands, files that fail."""

from collections.abc import Callable

from chalicelib.transport.memory_state import Process, Program
from chalicelib.transport.memory_words import absent

__all__ = ["each_operand", "options", "said"]

_FAILED = 1


def options(process: Process, *known: str) -> tuple[list[str], list[str]]:
    """Return the options and the operands; a known `-m=` takes the next word, given after `-m`.

    Raises:
        ShellError: an option is not known.
    """
    found, rest = [], list(process.arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        valued = f"{option}=" in known and rest
        if option not in known and not valued:
            # Not which: what a program is given may be a secret.
            raise absent(f"{process.name} with options other than {' '.join(known) or 'none'}")
        found += [option, rest.pop(0)] if valued else [option]
    return found, rest


def said(process: Process, error: OSError, name: str) -> int:
    """Say what could not be done with a file, and return the status of that."""
    process.complain(f"{name}: {error.strerror}")
    return _FAILED


def each_operand(do: Callable[[Process, str], object], *known: str) -> Program:
    """Return a program that does the same with each operand, and says what it could not do."""

    def program(process: Process) -> int:
        status = 0
        for name in options(process, *known)[1]:
            try:
                do(process, name)
            except OSError as error:
                status = said(process, error, name)
        return status

    return program
