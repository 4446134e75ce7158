"""The `berth` command: finds the subcommand, and turns errors into one message and a status.

A subcommand is a function that takes its arguments and returns an exit status; registering it is
one line here. Its file is imported only when it is called.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from chalicelib.errors import BerthError

__all__ = ["COMMANDS", "main"]

# name: (module:function, what it does)
COMMANDS = {
    "up": ("chalicelib.cli.up:up", "start the local stack, and deploy what has changed"),
    "down": ("chalicelib.cli.down:down", "stop the local stack; its state is kept"),
    "status": ("chalicelib.cli.status:status", "say what runs, where, and since when"),
    "doctor": ("chalicelib.cli.doctor:doctor", "say what this machine lacks, and the cure"),
    "build": (
        "chalicelib.cli.build:build",
        "build a local repository through the real webhook",
    ),
    "queue": ("chalicelib.cli.queue:queue", "look at the queue, its jobs and hosts; change it"),
    "host": ("chalicelib.cli.host:host", "look at a host, and make it what its spec says"),
    "image": ("chalicelib.cli.image:image", "make the images that jobs' containers come from"),
    "logs": ("chalicelib.cli.logs:logs", "print what functions and supervisors have logged"),
    "bench": ("chalicelib.cli.bench:bench", "measure, and print medians and ratios"),
    "simulate-queue": (
        "chalicelib.cli.simulate_queue:simulate_queue",
        "run the services in a world where everything breaks, from seeds",
    ),
    "test": ("chalicelib.cli.checks:test", "run every test, LXD and browser included"),
    "check": ("chalicelib.cli.checks:check", "format, lint, types, layers, quick tests"),
}

_FAILED = 2
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str]) -> int:
    """Run `berth <arguments>` and return its exit status.

    0 is success, 1 a negative answer (a failed build, a failed check), 2 anything that kept the
    command from its work, 130 an interruption. A traceback never reaches the user.
    """
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BerthError as error:
        print(f"berth: {error}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("\nberth: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone; what is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(_usage())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"berth: there is no command {name!r}\n\n{_usage()}", file=sys.stderr)
        return _FAILED
    return _function(name)(rest)


def _function(name: str) -> Callable[[Sequence[str]], int]:
    module, _, function = COMMANDS[name][0].partition(":")
    found: Callable[[Sequence[str]], int] = getattr(import_module(module), function)
    return found


def _usage() -> str:
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name.ljust(width)}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        ["usage: ./berth COMMAND [ARGUMENTS]", "", *lines, "", "./berth COMMAND --help says more."]
    )
