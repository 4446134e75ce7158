"""Commands that a host in memory and a real one have to agree on."""

from chalicelib.shell import (
    Node,
    Raw,
    all_of,
    any_of,
    any_text,
    append_to,
    arguments,
    assign,
    background,
    branch,
    break_,
    case,
    close_fd,
    command,
    compute,
    continue_,
    document,
    duplicate,
    env,
    equal,
    exists,
    exit_,
    expanding_document,
    export,
    for_each,
    for_lines,
    group,
    if_,
    is_directory,
    is_empty,
    is_executable,
    is_file,
    is_nonempty_file,
    is_symlink,
    join,
    last_status,
    length,
    not_,
    num,
    num_lt,
    otherwise,
    output,
    pipe,
    print_lines,
    print_text,
    println,
    q,
    q_chain,
    q_or,
    read_from,
    read_write,
    redirect,
    ref,
    script,
    stderr_to,
    subshell,
    until,
    when,
    while_,
    within,
    write_to,
)

__all__ = ["ALIKE", "ENDED", "OF_FILES"]

_TMP = "/tmp"  # noqa: S108 - of the host in memory, and nothing is written to the real one's
_COUNT = assign("n", compute(num("n") + num(1)))
_ANSWER = script(println(last_status()))
_KILL = command("kill", "-s", "TERM", Raw("$$"))
_NEVER = println("never")
# Not those that would leave a core file on this machine.
_KILLS = ("", "--", "-1", "-INT", "-s kill", "-s 10", "-s USR2 --", "-PIPE", "-s ALRM", "999999999")
ALIKE: dict[str, Node] = {
    "printf recycles": command("printf", "%s=%d|", "a", "1", "b", "010", "c"),
    "printf escapes": command("printf", "a\\tb\\0c\\101\\\\%%%s\\n", "\\n"),
    "printf keeps": command("printf", "[%s]", "%s\\n", "-n", "é\x7f"),
    "printf without a place": command("printf", "x", "a", "b"),
    "printf of no number": script(command("printf", "%d", "x"), _ANSWER),
    "echo": script("echo -n a b", "echo", "echo c"),
    "nothing": script(),
    "status": script("false", println(last_status()), exit_(last_status())),
    "exit wraps": exit_(ref("none", if_unset="300")),
    "exit inside": script(subshell(println("in"), exit_(3)), println(last_status())),
    "a status of a substitution": script(assign("x", output("false")), _ANSWER),
    "a status that export hides": script(export("x", output("false")), _ANSWER),
    "assigned status": script("false", assign("x", last_status()), println(ref("x"))),
    "no such program": command("no-such-program", "x"),
    "no such program in a list": script("no-such-program", _ANSWER),
    "and, or": q_or(q_chain("true", "false"), println("or")),
    "or stops": all_of(any_of("true", println("no")), println("yes")),
    "no alternatives": q_or(),
    "or sees the status": any_of(subshell(exit_(7)), println(last_status())),
    "not": script(not_("false"), println(last_status()), not_(subshell(exit_(7))), _ANSWER),
    "pipe": pipe(script(println("a"), println("b")), "cat", "wc -c"),
    "pipe's status": script(pipe("false", "true"), println(last_status()), pipe("true", "false")),
    "pipe's variables": script(assign("x", 1), pipe("true", assign("x", 2)), println(ref("x"))),
    "group": script(group(assign("x", 2)), println(ref("x")), subshell(assign("x", 3)), _ANSWER),
    "stderr": script(redirect(println("e"), duplicate(1, 2)), println("o")),
    "exchanged": redirect(
        script(println("o"), redirect(println("e"), duplicate(1, 2))),
        duplicate(3, 1),
        duplicate(1, 2),
        duplicate(2, 3),
    ),
    "joined": pipe(redirect(redirect(println("e"), duplicate(1, 2)), duplicate(2, 1)), "wc -c"),
    "document": redirect("cat", document("a $x `b`\n\\c")),
    "documents": redirect("cat", document("first"), document("second\n")),
    "empty document": redirect("cat", document("")),
    "expanding": script(assign("x", "1\n"), redirect("cat", expanding_document("x ", ref("x")))),
    "closed": script(redirect(println("x"), close_fd(1), stderr_to("/dev/null")), _ANSWER),
    "bad descriptor": script(redirect(println("x"), duplicate(1, 7)), _ANSWER),
    "null": script(
        redirect(println("x"), write_to("/dev/null")), redirect("cat", read_from("/dev/null"))
    ),
    "zeros": q("head -c 100000 /dev/zero"),
    "head": script(redirect("head -c 3", document("abcdef")), redirect("head -c 0", document("a"))),
    "missing input": script(redirect("cat", read_from("/nowhere/x")), _ANSWER),
    "missing folder": script(redirect("cat", write_to("/nowhere/x")), _ANSWER),
    "special builtin": script(redirect(":", append_to("/nowhere/x")), println("never")),
    "a folder as a file": script(redirect("cat", read_from(_TMP)), redirect("cat", write_to(_TMP))),
    "cat fails": script(redirect(command("cat", "/nowhere/x", "-"), document("still")), _ANSWER),
    "if": if_("false", println(1), elif_=[("true", println(2))], else_=println(3)),
    "if not": script(
        when("false", "no"), println(last_status()), if_("false", "no", else_="false")
    ),
    "case": case(
        "a*b\n", branch(["x", "a"], println(1)), branch(join("a*", any_text()), println(2))
    ),
    "case else": case(ref("no"), branch("x", "false"), otherwise(println("else"))),
    "for": script(for_each("x", ["a b", "", "*"], println("(", ref("x"), ")")), println(ref("x"))),
    "for breaks": for_each(
        "x", [1, 2, 3, 4], q_chain(equal(ref("x"), 3), break_()), println(ref("x"))
    ),
    "for continues": for_each(
        "x", [1, 2, 3], q_chain(equal(ref("x"), 2), continue_()), println(ref("x"))
    ),
    "while": script(
        assign("n", 0), while_(num_lt(ref("n"), 3), println(ref("n")), _COUNT), _ANSWER
    ),
    "until": script(assign("n", 0), until(equal(ref("n"), 2), _COUNT, "false"), _ANSWER),
    "lines": for_lines("x", print_lines(" a ", "", "b\\"), println("<", ref("x"), ">")),
    "arithmetic": println(
        *(compute(num(-7).op(each, 2)) for each in ("+", "-", "*", "/", "%", "<", ">>", "&", "&&"))
    ),
    "arithmetic wraps": println(compute(num(2**63 - 1) + 1), compute(num(1).op("<<", 63))),
    "octal": script(assign("x", "010"), println(compute(num("x") + num("unset")))),
    "division": script(println(compute(num(1) / num(0))), println("never")),
    "defaults": script(
        assign("e", ""),
        println(
            ref("u", if_unset=1), ref("e", if_unset=2), ref("e", if_empty=3), ref("u", if_set=4)
        ),
        println(
            ref("e", if_set=5), ref("e", if_not_empty=6), ref("u", assign_if_unset=7), ref("u")
        ),
    ),
    "default fails": script(println(ref("u", fail_if_unset="why")), println("never")),
    "length": script(assign("x", "aé"), println(length("x"))),
    "no arguments": print_lines(arguments()),
    "output": print_text("<", output(command("printf", "\\n a\\0b \\n\\n")), ">"),
    "environment": script(env("printenv x", x="1"), println(ref("x", if_unset="none"))),
    "builtin's environment": script(
        env("cd /", CDPATH=""), println(ref("CDPATH", if_unset="none"))
    ),
    "special's environment": script(env(":", x="1"), println(ref("x", if_unset="none"))),
    "exported": script(assign("x", "no"), export("y", "é "), q("printenv x y")),
    "env": script(command("env", "x=1 2", "printenv", "x"), command("env", "no-such-program")),
    "within": script(assign("PWD", "x"), within(_TMP, "pwd"), within("/nowhere", "pwd"), _ANSWER),
    "seq": script("seq 3", "seq 2 4", "seq 0", "seq 3 3", "seq 3 1", "seq -2 1", "seq 3000"),
    "seq of one width": script("seq -w 8 11", "seq -w -1 10", "seq -w 3", "seq -w 900 10100"),
    "test": script(
        *(script(each, _ANSWER) for each in (is_empty(""), equal("-f", "-f"), num_lt("9", "010"))),
        *(script(command("[", *each, "]"), _ANSWER) for each in (("!",), ("x",), ("",), ())),
        *(script(each, _ANSWER) for each in (num_lt("x", 1), num_lt("", 1), command("[", "a"))),
    ),
    "test of files": script(
        *(
            script(asks(path), _ANSWER)
            for asks in (exists, is_file, is_directory, is_executable, is_nonempty_file, is_symlink)
            for path in (_TMP, "/dev/null", "/nowhere/x", "")
        )
    ),
    "background": script(
        redirect(background(println("b")), stderr_to("/dev/null")), "wait", _ANSWER
    ),
    "kill others": script("kill -9 999999999", _ANSWER, "kill 999999999 999999998", _ANSWER),
    "kill nobody": script("kill", _ANSWER, "kill -s TERM", _ANSWER),
    "kill asks": script(
        command("kill", "-0", Raw("$$")), _ANSWER, command("kill", "-s", "0", Raw("$$")), _ANSWER
    ),
    "its number": script(
        equal(Raw("$$"), output(println(Raw("$$")))),
        _ANSWER,
        pipe(subshell(equal(Raw("$$"), Raw("$$"))), "cat"),
        _ANSWER,
    ),
    "id": q("id -un"),
}
ENDED: dict[str, Node] = {
    **{f"kill {each}": command("kill", *each.split(), Raw("$$")) for each in _KILLS},
    "kill by a program": command("/bin/kill", "-9", Raw("$$")),
    "in brackets": subshell(_KILL),
    "by the first of two": subshell(_KILL, command("kill", "-9", Raw("$$"))),
    "in a pipe": pipe(_KILL, "cat"),
    "in an output": println(output(_KILL)),
    "in a condition": if_(not_(_KILL), _NEVER, else_=_NEVER),
    "in the background": script(background(_KILL), "wait"),
    "in a loop": for_each("x", ["1", "2"], println(ref("x")), _KILL),
}
"""What ends its shell by a signal."""
OF_FILES: dict[str, Node] = {
    "files": script(
        redirect(println("one"), write_to("f")),
        redirect(println("two"), append_to("f")),
        redirect("cat", read_from("f")),
        redirect(print_text("O"), read_write("f", fd=1)),
        "cat f",
        "wc -c f",
        "mv -f f g",
        "cat f",
        println(last_status()),
        "rm -f g f",
        "rm g",
    ),
    "one offset": script(
        redirect(
            script(println("a"), redirect(println("b"), duplicate(1, 2))),
            write_to("f"),
            duplicate(2, 1),
        ),
        "cat f",
        redirect(script("head -c 1", "cat"), read_from("f")),
    ),
    "folders": script(
        "mkdir a/b",
        println(last_status()),
        "mkdir -p a/b a",
        println(last_status()),
        "mkdir a",
        println(last_status()),
        redirect(":", write_to("f")),
        "mkdir -p f/x",
        println(last_status()),
        "mv -f f a/b",
        "rm a",
        println(last_status()),
        "cat a",
        println(last_status()),
        within("a/b", is_file("f")),
    ),
    "listed": script(
        "mkdir -p -m 0700 d/e",
        "mkdir -p -m 0755 d/e",
        "touch d d/b d/.c d/A",
        "ls d",
        "ls -A d",
        "ls d/.c",
        "chmod 640 d/b",
        q("stat -c {form} d/b d/e", form="%a %U %%"),
        "ls nowhere",
        _ANSWER,
        q("stat -c {form} nowhere", form="%a"),
        _ANSWER,
        "touch nowhere/x",
        _ANSWER,
    ),
    "locked": script(
        redirect(script("flock 9", "flock 9", println("held")), append_to("f", fd=9)),
        redirect(script("flock 9", println("again")), append_to("f", fd=9)),
        "flock 9",
        _ANSWER,
    ),
    "modes": script(
        redirect(":", write_to("f")),
        is_executable("f"),
        println(last_status()),
        "chmod 755 f",
        is_executable("./f"),
        println(last_status()),
        "chmod 600 nowhere",
    ),
    "temporary": script(
        assign("t", output("mktemp x.XXXXXX")),
        case(ref("t"), branch(join("x.", any_text()), println("named"))),
        is_file(ref("t")),
        println(last_status()),
        "mktemp nowhere/XXXXXX",
    ),
}
