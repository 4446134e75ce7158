"""Blocks that say what they do, and whether it worked."""

from chalicelib.shell.commands import AndOr, Group, Node, Script, Subshell
from chalicelib.shell.flow import exit_
from chalicelib.shell.lists import Item, nodes
from chalicelib.shell.printing import println
from chalicelib.shell.redirections import duplicate, redirect
from chalicelib.shell.variables import assign, last_status, ref
from chalicelib.shell.words import join

__all__ = ["checked"]


def checked(message: object, *body: Item) -> Node:
    """Run the body up to its first failure, with a message before and the outcome after.

    Prints `message...`, then what the body prints, then `#> message : SUCCESS`; or on standard
    error `#> message : FAIL`, and then leaves the shell with the exit status of what failed.

    Raises:
        ShellError: the message is no single word.
    """
    status = "status"
    # A subshell, so that the script's own variable of that name stays as it is.
    failed = Subshell(
        Script(
            (
                assign(status, last_status()),
                redirect(println(join("#> ", message, " : FAIL")), duplicate(1, 2)),
                exit_(ref(status)),
            )
        )
    )
    return Script(
        (
            println(join(message, "...")),
            AndOr("||", (Group(AndOr("&&", nodes(body))), failed, exit_())),
            println(join("#> ", message, " : SUCCESS")),
        )
    )
