"""Scripts are readable, secrets are not, and what cannot be said is an error."""

import itertools
import pickle
from collections.abc import Callable

import pytest

from chalicelib.errors import ShellError
from chalicelib.shell import (
    Node,
    Secret,
    alias,
    append_to,
    arguments,
    background,
    both_to,
    branch,
    checked,
    close_fd,
    command,
    compute,
    document,
    duplicate,
    env,
    exists,
    exit_,
    expanding_document,
    explain,
    flag,
    function,
    group,
    if_,
    join,
    not_,
    num,
    option,
    output,
    pipe,
    positional,
    print_text,
    println,
    q,
    q_chain,
    read_from,
    read_write,
    redirect,
    ref,
    render,
    script,
    stderr_to,
    subshell,
    within,
    write_to,
)

_READABLE = """\
if [ -e /srv ]; then
    (
        CDPATH='' cd -- /srv || exit
        git pull --ff-only 2>&1 | tee log
        cat >config <<'EOF'
    kept as it is
EOF
    )
else
    printf '%s\\n' 'no /srv' >&2
    exit 3
fi"""


def test_a_script_is_indented_with_one_command_a_line() -> None:
    node = if_(
        exists("/srv"),
        within(
            "/srv",
            pipe(redirect("git pull --ff-only", duplicate(2, 1)), "tee log"),
            redirect("cat", write_to("config"), document("    kept as it is\n")),
        ),
        else_=[redirect(println("no /srv"), duplicate(1, 2)), exit_(3)],
    )

    assert render(node) == _READABLE


def test_a_long_chain_has_a_command_a_line() -> None:
    text = render(q_chain(*[command("x" * 40, str(number)) for number in range(3)]))

    assert [line.strip() for line in text.split("\n")] == [
        f"{'x' * 40} 0 &&",
        f"{'x' * 40} 1 &&",
        f"{'x' * 40} 2",
    ]


_numbers = itertools.count()


def _number(_: object) -> str:
    """The nodes are too long for names of tests, the texts too alike."""
    return str(next(_numbers))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (redirect("x", read_from("a b")), "x <'a b'"),
        (redirect("x", write_to("f"), duplicate(2, 1)), "x >f 2>&1"),
        (redirect("x", both_to("f")), "x >f 2>&1"),
        (redirect("x", append_to("f"), stderr_to("g")), "x >>f 2>g"),
        (redirect("x", read_write("f", fd=3), close_fd(2)), "x 3<>f 2>&-"),
        (redirect(pipe("x", "y"), write_to("f")), "{ x | y; } >f"),
        (redirect(redirect("x", write_to("f")), write_to("g")), "{ x >f; } >g"),
        (redirect(group(redirect(subshell("x"), write_to("f"))), write_to("g")), "(x) >g >f"),
        (env("x", A="b c"), "A='b c' x"),
        (background("x"), "x &"),
        (q(background("x"), "y"), "x & y"),
        (group(background("x")), "{ x & }"),
        (subshell(subshell("x")), "( (x))"),
        (not_(not_("x")), "! { ! x; }"),
        (command("x", compute((num(1) + 2) * -num("n"))), 'x "$(((1 + 2) * (-n)))"'),
    ],
    ids=_number,
)
def test_the_text_is_the_expected_one(node: Node, text: str) -> None:
    assert render(node) == text


_SECRET = Secret("sword'fish")


@pytest.mark.parametrize(
    "node",
    [
        command("x", _SECRET),
        command("x", join("--token=", _SECRET)),
        env("x", PASSWORD=_SECRET),
        println(ref("a", if_unset=_SECRET)),
        redirect("cat", document(_SECRET)),
        redirect("cat", expanding_document("a ", _SECRET, ref("b"))),
        alias("x", command("y", _SECRET)),
        checked(_SECRET, "true"),
        function("f", command("x", _SECRET), flags=(option("o", default=_SECRET),)).definition,
    ],
    ids=_number,
)
def test_a_secret_is_rendered_and_never_shown(node: Node) -> None:
    assert "sword" in render(node)
    assert "***" in explain(node)
    for shown in (explain(node), repr(node), str(node), f"{node}"):
        assert "sword" not in shown
        assert "fish" not in shown


def test_a_secret_prints_as_stars() -> None:
    assert (str(_SECRET), f"{_SECRET:}", repr([_SECRET])) == ("***", "***", "[Secret('***')]")
    assert _SECRET.reveal() == "sword'fish"
    assert pickle.loads(pickle.dumps(_SECRET)) == _SECRET  # noqa: S301 - our own bytes


def test_explaining_shows_the_same_script() -> None:
    node = script(println("a"), command("x", Secret("***")))

    assert explain(node) == render(node)


@pytest.mark.parametrize(
    "build",
    [
        command,
        lambda: ref("a", if_unset=1, if_set=2),
        lambda: ref("a", unknown=1),
        lambda: positional(1, assign_if_unset=2),
        lambda: redirect("x", write_to(arguments())),
        lambda: redirect("x", duplicate(2, 10)),
        lambda: redirect("x", expanding_document(ref("x", if_unset=1))),
        lambda: redirect("x", expanding_document(output("ls"))),
        lambda: branch(ref("x", assign_if_unset=1)),
        lambda: println("a", arguments()),
        lambda: print_text([arguments()]),
        lambda: num(2**63),
        lambda: num("a b"),
        lambda: num(1).op("**", 2),
        lambda: exit_(256),
        lambda: function("if"),
        lambda: function("f", parameters=("x",), flags=(flag("x"),)),
        lambda: function("f").call(no_flag=True),
        lambda: function("f", flags=(flag("x"),)).call(x="yes"),
        lambda: script(1),  # type: ignore[arg-type] # the point
    ],
    ids=_number,
)
def test_what_cannot_be_said_is_refused_when_it_is_built(build: Callable[[], object]) -> None:
    with pytest.raises(ShellError):
        build()


def test_nesting_beyond_reason_is_an_error_of_ours() -> None:
    node = q("true")
    for _ in range(5000):
        node = not_(node)

    with pytest.raises(ShellError, match="nested"):
        render(node)


def test_rendering_takes_no_longer_for_being_nested() -> None:
    """Each level is looked at twice; without memory that would be 2 to the power of 40."""
    node: Node = println("a\nb")
    for _ in range(40):
        node = println(output(node))

    assert render(node).count("printf") == 41
