"""What stevedore's documentation and tests say of it holds here: `docs/shell.md` lists which."""

import itertools
from pathlib import Path

import pytest

from chalicelib.errors import ShellError
from chalicelib.shell import (
    Dialect,
    Node,
    alias,
    all_of,
    any_of,
    array,
    array_get,
    array_set,
    assign,
    branch,
    case,
    checked,
    command,
    compute,
    equal,
    exists,
    flag,
    flag_is_set,
    for_each,
    for_lines,
    function,
    group,
    if_,
    is_empty,
    join,
    local,
    map_,
    map_assoc,
    map_get,
    map_merge,
    not_,
    not_equal,
    num,
    option,
    output,
    pipe,
    println,
    q,
    q_chain,
    ref,
    render,
    return_,
    script,
    script_function,
    split,
    unless,
    when,
)
from tests.shell.shells import SHELLS, run_file

_numbers = itertools.count()


def _number(_: object) -> str:
    """The nodes are too long for names of tests, the texts too alike."""
    return str(next(_numbers))


@pytest.fixture(params=SHELLS, ids=" ".join)
def outcome(request: pytest.FixtureRequest, tmp_path: Path) -> "Outcome":
    return Outcome(request.param, tmp_path)


class Outcome:
    """Runs commands in one of the shells, in an empty folder."""

    def __init__(self, shell: tuple[str, ...], folder: Path) -> None:
        self._shell = shell
        self.folder = folder

    def of(self, *items: Node) -> tuple[int, str, str]:
        """Return exit status, output and errors."""
        text = render(script(items))
        status, out, errors = run_file(self._shell, text, self.folder / "script")
        return status, out.decode(), errors.decode()

    def output(self, *items: Node) -> str:
        """Return the output of what succeeds in silence."""
        status, out, errors = self.of(*items)
        assert (status, errors) == (0, "")
        return out


def _bash(tmp_path: Path, *items: Node) -> str:
    text = render(script(items), dialect=Dialect.BASH)
    status, out, errors = run_file(("bash",), text, tmp_path / "script")
    assert (status, errors) == (0, b"")
    return out.decode()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (q("foo", "bar"), "foo; bar"),
        (q_chain("foo", "bar"), "foo && bar"),
        (q("git log -1 {commit}", commit="abc"), "git log -1 abc"),
        (q("a b c"), "a b c"),
        (command("x", 42), "x 42"),
        (command("x", 0.5), "x 0.5"),
        (return_(42), "return 42"),
        (q("grep {pattern} /etc/passwd", pattern='"^name1"'), "grep '\"^name1\"' /etc/passwd"),
        (command(join("foo", "bar")), "foobar"),
        (command("foo", [1, 2, 3]), "foo 1 2 3"),
        (command("x", []), "x"),
        (command("x", [], "y"), "x y"),
        (q("x {none}", none=[]), "x"),
        (script([]), ":"),
        (assign("foo", 1), "foo=1"),
        (alias("foo", "ls -l"), "alias foo='ls -l'"),
        (group("ls"), "{ ls; }"),
        (pipe("ls"), "ls"),
        (pipe("ls", "wc"), "ls | wc"),
        (q_chain([], "fred", []), "fred"),
        (command("x", ref("TMPDIR", if_unset="/t")), 'x "${TMPDIR-/t}"'),
        (assign("R", output("cat /etc/redhat-release")), 'R="$(cat /etc/redhat-release)"'),
        (command("x", compute(num("x") * num("y"))), 'x "$((x * y))"'),
        (for_each("X", [1, 2], command("f", ref("X"))), 'for X in 1 2; do\n    f "${X}"\ndone'),
        (
            for_each("X", [split(output("ls"))], command("f", ref("X"))),
            'for X in $(ls); do\n    f "${X}"\ndone',
        ),
        (when(exists("f"), "ls", "ls"), "if [ -e f ]; then\n    ls\n    ls\nfi"),
        (unless("foo", "bar"), "if ! foo; then\n    bar\nfi"),
        (
            case(ref("X"), branch(1, "one"), branch("2", "two")),
            'case "${X}" in\n    1)\n        one\n        ;;\n    2)\n        two\n        ;;\nesac',
        ),
        (
            if_(any_of(not_(exists("md5")), "ls file"), println(1)),
            "if ! [ -e md5 ] || ls file; then\n    printf '%s\\n' 1\nfi",
        ),
    ],
    ids=_number,
)
def test_the_text_is_the_expected_one(node: Node, text: str) -> None:
    assert render(node) == text


@pytest.mark.parametrize("name", ["foo-bar", "1a", "", "a b", "é", "a\n"])
def test_a_name_that_no_shell_takes_is_refused(name: str) -> None:
    for build in (assign, local, map_get, for_each):
        with pytest.raises(ShellError):
            build(name, [] if build is for_each else "1")
    with pytest.raises(ShellError):
        function(name)


def test_conditions_nest_rightly(outcome: Outcome) -> None:
    same, other = equal("foo", "foo"), equal("foo", "baz")
    asked = [
        all_of(same, not_equal("foo", "baz")),
        not_(all_of(same, other)),
        all_of(any_of(other, same), any_of(same, other)),
        any_of(all_of(other, other), all_of(same, same)),
        not_(any_of(other, not_(same))),
        not_(not_(all_of(same, any_of(other, all_of())))),
        not_(any_of()),
    ]

    assert outcome.output(*[when(each, println("yes")) for each in asked]) == "yes\n" * len(asked)


def test_one_branch_of_an_if_runs(outcome: Outcome) -> None:
    choice = if_(
        equal(ref("x"), "a"),
        println("first"),
        elif_=[(equal(ref("x"), "b"), [println("second"), println("more")])],
        else_=println("last"),
    )

    said = [outcome.output(assign("x", value), choice) for value in "abc"]

    assert said == ["first\n", "second\nmore\n", "last\n"]


def test_an_empty_value_is_empty(outcome: Outcome) -> None:
    assert outcome.output(when(is_empty(ref("a")), println("true"))) == "true\n"


def test_printing_is_never_read_as_an_option(outcome: Outcome) -> None:
    assert (
        outcome.output(println("hello", "there"), println("-n", "\\n")) == "hello there\n-n \\n\n"
    )


def test_integers_are_calculated(outcome: Outcome) -> None:
    sums: list[Node] = [assign("x", 3), assign("y", 4), println(compute(num("x") + num("y") * -2))]

    assert outcome.output(*sums) == "-5\n"


def test_a_pipe_connects(outcome: Outcome) -> None:
    assert outcome.output(pipe(println("one two"), "wc -w")).strip() == "2"


def test_a_checked_block_says_that_it_worked(outcome: Outcome) -> None:
    block = checked("test", println("fred"), println("tom"))

    assert outcome.output(block) == "test...\nfred\ntom\n#> test : SUCCESS\n"


def test_a_checked_block_stops_at_the_first_failure_and_keeps_its_status(outcome: Outcome) -> None:
    inside = function("fails", return_(7))
    block = checked("test", println("one"), inside.call(), println("two"))

    status, out, errors = outcome.of(inside.definition, block, println("after"))

    assert (status, out, errors) == (7, "test...\none\n", "#> test : FAIL\n")


def test_a_function_names_its_arguments(outcome: Outcome) -> None:
    made = function(
        "foo", local("z", "-"), println(ref("x"), ref("z"), ref("y")), parameters=("x", "y")
    )

    said = outcome.output(
        assign("x", "kept"), made.definition, made.call("a b", "*"), println(ref("x"))
    )

    assert said == "a b - *\nkept\n"


def test_a_function_takes_flags_and_arguments(outcome: Outcome) -> None:
    made = function(
        "foo",
        println(ref("x"), ref("host"), ref("loud")),
        when(flag_is_set("loud"), println("LOUD")),
        parameters=("x",),
        flags=(flag("loud", "l"), option("host", "h", default="default")),
    )

    said = outcome.output(
        made.definition,
        made.call("-a"),
        made.call("b", host="-l", loud=True),
        command("foo", "-h", "web 1", "-l", "c"),
    )

    assert said == "-a default false\nb -l true\nLOUD\nc web 1 true\nLOUD\n"


@pytest.mark.parametrize("given", [[], ["--unknown", "x"], ["--host"], ["-l"]], ids=str)
def test_a_wrong_call_of_a_function_fails(outcome: Outcome, given: list[str]) -> None:
    flags = (flag("loud", "l"), option("host"))
    made = function("foo", println("ran"), parameters=("x",), flags=flags)

    status, out, errors = outcome.of(made.definition, command("foo", given))

    assert (status, out) == (2, "")
    assert errors.startswith("foo: ")


def test_lines_of_output_are_gone_through(outcome: Outcome) -> None:
    lines = println("a  b\n\n*\n-n")
    loop = for_lines("x", lines, println(join("<", ref("x"), ">")), assign("last", ref("x")))

    assert outcome.output(loop, println(ref("last"))) == "<a  b>\n<*>\n<-n>\n-n\n"


def test_arrays_are_made_read_and_set(tmp_path: Path) -> None:
    said = _bash(
        tmp_path,
        array("foo", 1, "2", '"3"', ["a b"]),
        array_set("foo", 1, "x y"),
        println(array_get("foo", 1), array_get("foo", num(1) + 1), array_get("foo", -1)),
    )

    assert said == 'x y "3" a b\n'


def test_maps_are_made_read_assoced_and_merged(tmp_path: Path) -> None:
    keys = ("p", "/a/b/c-e", "q", "r")

    said = _bash(
        tmp_path,
        map_("x", {"p": "c", "/a/b/c-e": "d", "q": "q"}),
        map_assoc("x", "q", 1),
        map_merge("x", {"r": 2, "p": "new"}),
        *[println(map_get("x", key)) for key in keys],
    )

    assert said == "new\nd\n1\n2\n"


@pytest.mark.parametrize(
    "node", [array("a", 1), map_("m", {}), println(array_get("a", 0))], ids=repr
)
def test_a_posix_shell_gets_no_arrays(node: Node) -> None:
    with pytest.raises(ShellError, match="bash"):
        render(node)


def test_the_most_explicit_implementation_is_chosen() -> None:
    install = script_function(
        "install",
        {
            frozenset[str](): lambda name: command("pkg", name),
            "debian": lambda name: command("apt-get", "install", name),
            frozenset({"debian", "old"}): lambda name: command("aptitude", name),
        },
    )

    chosen = [render(install("x"), facts=facts) for facts in ({"debian"}, {"old", "debian"}, ())]

    assert chosen == ["apt-get install x", "aptitude x", "pkg x"]


def test_an_unknown_combination_is_an_error() -> None:
    install = script_function("install", {"debian": lambda: q("a"), "apt": lambda: q("b")})

    for facts in ({"alpine"}, set[str](), {"debian", "apt"}):
        with pytest.raises(ShellError, match="install has"):
            render(q_chain("true", install()), facts=facts)


def test_an_implementation_takes_the_arguments_it_is_given() -> None:
    install = script_function("install", {"debian": lambda _name: q("a")})

    with pytest.raises(ShellError, match="install"):
        install()
