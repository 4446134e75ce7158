import doctest

import pytest

from chalicelib.errors import ShellError
from chalicelib.shell import (
    Node,
    assign,
    chosen,
    group,
    if_,
    output,
    pipe,
    q,
    render,
    script,
    script_function,
    scriptfunctions,
)

_ASK = script_function("ask", {"alpine": lambda: q("ask"), "debian": lambda: q("no")})
_SAY = script_function(
    "say", {"debian": lambda: q("apt"), "alpine": lambda: script(_ASK(), q("apk"))}
)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(scriptfunctions).failed == 0


@pytest.mark.parametrize(
    "node",
    [
        _SAY(),
        group(_SAY(), q("true")),
        pipe(_SAY(), "cat"),
        script(assign("x", output(_SAY()))),
        if_(_ASK(), [_SAY()], else_=[_SAY()]),
    ],
)
def test_a_choice_is_the_same_before_and_while_rendering(node: Node) -> None:
    for facts in ({"debian"}, {"alpine"}):
        assert render(chosen(node, facts)) == render(node, facts=facts)


def test_what_holds_no_choice_is_the_same_object() -> None:
    node = group(q("a"), pipe("b", "c"))

    assert chosen(node, ()) is node


def test_what_does_not_fit_is_an_error() -> None:
    with pytest.raises(ShellError, match="say has no implementation"):
        chosen(group(_SAY()), {"windows"})
