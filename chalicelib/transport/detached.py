"""Programs that go on after the command that started them."""

from chalicelib.shell import (
    append_to,
    background,
    command,
    duplicate,
    last_background,
    println,
    read_from,
    redirect,
    script,
)
from chalicelib.transport.protocol import Transport
from chalicelib.transport.tree import MARK

__all__ = ["start"]


def start(transport: Transport, *arguments: object, output: str) -> int:
    """Start a program in a session of its own and return its process id on the host at once.

    Not safe to repeat: that starts another. It ignores SIGINT and SIGQUIT, as what a shell starts in
    the background does. Its input is empty.

    Args:
        transport: the host; wrap it for an environment or a directory.
        arguments: the program and its arguments; words, lists splice.
        output: the file to whose end it prints, on the host.

    Raises:
        CommandFailedError: the file cannot be opened.
    """
    program = command("setsid", "env", "-u", MARK, *arguments)
    connected = redirect(program, read_from("/dev/null"), append_to(output), duplicate(2, 1))
    opened = redirect(":", append_to(output))
    started = transport.run(script(opened, background(connected), println(last_background())))
    return int(started.text)
