"""What is sent to a host's agent, and what it answers: scripts as data, and a report as text.

SSM may deliver a script twice, and a SendCommand whose answer was lost is sent again: it has no
client token (https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html).
So each script takes a folder on the host, by the run's token, exclusively. Whoever finds it there
does not run the command but reports the first one's result, which is kept in the folder. A late
delivery can't be told from none at all, so the folder outlives the run; later runs remove it.

The script always ends with 0 and reports status and output itself, in one stream of base64 behind a
line that says how much there is. So it does not matter that the agent decodes output as text, cuts
it at 24,000 and 8,000 characters, marks the cut, and appends "failed to run commands: exit status"
to the errors (https://github.com/aws/amazon-ssm-agent, agent/plugins/runscript/runscript.go and
agent/framework/processor/executer/iohandler/iohandler.go): what is whole can be told from what is
not, and what a command prints can't be taken for the agent's words. Nor can the command's children
keep the agent waiting: they have no pipe to it (https://github.com/golang/go/issues/13155).

Nothing here talks to anything.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.shell import (
    Node,
    Word,
    any_of,
    append_to,
    arguments,
    assign,
    command,
    document,
    env,
    exists,
    exit_,
    group,
    if_,
    is_directory,
    join,
    last_status,
    not_,
    output,
    pipe,
    positional,
    print_lines,
    println,
    q,
    read_from,
    redirect,
    ref,
    render,
    script,
    stderr_to,
    until,
    when,
    write_to,
)
from chalicelib.transport.tree import MARK

__all__ = ["REFUSED", "UNFETCHED", "Report", "Script", "fetched", "inline", "read_report"]

REFUSED = "refused"
"""The word of a report when the host could not take the script; nothing ran."""
UNFETCHED = "unfetched"
"""The word of a report when the command's input could not be had; nothing ran."""
_ENDED = "ended"
_HEADER = "berth-run"
_KEPT_MINUTES = 3 * 24 * 60
"""Since its end; or since its start if it has not ended. A run takes two days at the most, the limit
of executionTimeout, so no folder is removed under a run."""
_SIGTERM = 143
_SECOND_BRACE = re.compile(r"(?<=\{)(?=\{)")


def _in_folder(name: str) -> Word:
    return join(ref("folder"), f"/{name}")


_INPUT, _STDOUT, _STDERR = _in_folder("input"), _in_folder("stdout"), _in_folder("stderr")
_STATUS, _STOPPED = _in_folder("status"), _in_folder("ended")
_QUIET = stderr_to("/dev/null")

# The program's own shell, which has the mark from its first moment, asks once more whether the run
# was ended. Those who end it write the file first and look for the mark then, so one of both sees
# the other.
_STARTER = render(
    script(when(exists(positional(1)), exit_(_SIGTERM)), "shift", command("exec", arguments()))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a host said about a run.

    Attributes:
        word: the exit status, or `REFUSED` or `UNFETCHED`.
        whole: False when the text was cut, so that the output is not here.
    """

    word: str
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How a program is run on the host.

    Attributes:
        arguments: the program and its arguments.
        token: of the run.
        base: the folder of all runs' folders.
        stdin: what writes the program's input, see `inline` and `fetched`; None is an empty input.
            Only for `starting`.
    """

    arguments: Sequence[str]
    token: str
    base: str
    stdin: Node | None = field(default=None, repr=False)

    def starting(self) -> Node:
        """Return the script that runs the program once."""
        taken = redirect(q("mkdir {folder}", folder=ref("folder")), _QUIET)
        return script(*self._opening(), if_(taken, self._first(), else_=_second()), self._report())

    def ending(self) -> Node:
        """Return the script that keeps the run from starting, runs the program, and reports.

        The program is the one that ends the run's processes; the output that is reported, what the
        run has printed so far. Safe to repeat.
        """
        taken = redirect(q("mkdir {folder}", folder=ref("folder")), _QUIET)
        program = command(*map(_word, self.arguments))
        return script(
            *self._opening(),
            when(taken, _settled(_ENDED)),
            redirect(":", write_to(_STOPPED)),
            redirect(":", append_to(_STDOUT), append_to(_STDERR, fd=2)),
            redirect(program, read_from("/dev/null"), write_to("/dev/null"), _QUIET),
            self._reported(last_status()),
        )

    def _opening(self) -> list[Node]:
        """Set what all use. Programs start in the user's home, wherever the agent's scripts do."""
        made = q("mkdir -p -m 0700 {base}", base=self.base)
        home = redirect(q("cd {home}", home=ref("HOME", if_empty="/")), _QUIET)
        return [
            assign("mask", output("umask")),
            q("umask 077"),
            assign("brace", "{"),
            assign("folder", f"{self.base}/{self.token}"),
            any_of(made, group(self._line(REFUSED, 0, 0), exit_(0))),
            any_of(home, ":"),
        ]

    def _first(self) -> Node:
        old = q(
            "find {base} -mindepth 1 -maxdepth 1 -type d -mmin {age} -exec rm -rf '{{}}' +",
            base=self.base,
            age=f"+{_KEPT_MINUTES}",
        )
        run = script(self._connected(), _settled(last_status()))
        if self.stdin is not None:
            got = redirect(self.stdin, write_to(_STDOUT), stderr_to(_STDERR))
            run = if_(got, run, else_=_settled(UNFETCHED))
        return script(any_of(redirect(old, _QUIET), ":"), run)

    def _connected(self) -> Node:
        """The program in a session of its own: the agent's is shared, and ended as one."""
        marked = env(
            command(
                "setsid", "/bin/sh", "-c", _STARTER, "sh", _STOPPED, *map(_word, self.arguments)
            ),
            **{MARK: self.token},
        )
        streams = [write_to(_STDOUT), stderr_to(_STDERR)]
        unmasked = q("umask {mask}", mask=ref("mask"))
        if self.stdin is None:
            return redirect(group(unmasked, marked), read_from("/dev/null"), *streams)
        # Its input may hold secrets: it has no name any more when the program starts.
        dropped = q("rm -f {file}", file=_INPUT)
        return redirect(group(dropped, unmasked, marked), read_from(_INPUT), *streams)

    def _report(self) -> Node:
        status = output(redirect(q("cat {status}", status=_STATUS), _QUIET))
        return script(
            assign("status", status),
            self._reported(ref("status", if_empty=REFUSED)),
        )

    def _reported(self, word: object) -> Node:
        """Say how much there is, and give as much: what is in the background may print on."""
        told = [
            q("head -c {size} {file}", size=ref("out"), file=_STDOUT),
            q("head -c {size} {file}", size=ref("err"), file=_STDERR),
        ]
        return script(
            assign("word", word),
            assign("out", _size(_STDOUT)),
            assign("err", _size(_STDERR)),
            self._line(ref("word"), ref("out", if_empty="0"), ref("err", if_empty="0")),
            pipe(redirect(group(*told), _QUIET), "base64"),
            exit_(0),
        )

    def _line(self, word: object, out: object, err: object) -> Node:
        return println(_HEADER, self.token, word, out, err)


def inline(content: bytes) -> Node:
    """Return what writes the input, which is part of the script."""
    text = document(base64.encodebytes(content).decode())
    return redirect("base64 -d", text, write_to(_INPUT))


def fetched(url: str) -> Node:
    """Return what fetches the input from a URL, which no process list shows."""
    by_curl = redirect(
        command("curl", "-fsS", "--retry", "3", "-o", _INPUT, "-K", "-"),
        document(f'url = "{url}"\n'),
    )
    by_wget = redirect(command("wget", "-q", "-O", _INPUT, "-i", "-"), document(f"{url}\n"))
    has_curl = redirect("command -v curl", write_to("/dev/null"))
    return if_(has_curl, by_curl, else_=by_wget)


def read_report(text: str, token: str) -> Report | None:
    """Return the report that a script printed; None when the text does not begin with one."""
    head, _, rest = text.partition("\n")
    found = re.fullmatch(rf"{_HEADER} {token} ([a-z]+|[0-9]+) +([0-9]+) +([0-9]+)", head.strip())
    if found is None:
        return None
    word, out, err = found.groups()
    out_size, err_size = int(out), int(err)
    body = _decoded("".join(rest.split()), out_size + err_size)
    if body is None:
        return Report(word=word, stdout=b"", stderr=b"", whole=False)
    return Report(word=word, stdout=body[:out_size], stderr=body[out_size:], whole=True)


def _decoded(text: str, size: int) -> bytes | None:
    wanted = 4 * -(-size // 3)
    try:
        body = base64.b64decode(text[:wanted], validate=True)
    except binascii.Error:
        return None
    return body if len(body) == size else None


def _second() -> Node:
    """Wait for the first one's result, unless there will be none: it was ended, or has no folder."""
    over = any_of(exists(_STATUS), exists(_STOPPED), not_(is_directory(ref("folder"))))
    return until(over, "sleep 0.2")


def _settled(word: object) -> Node:
    """Write the status, whole or not at all, since others wait for it."""
    part = _in_folder("status.part")
    return script(
        redirect(print_lines(word), write_to(part)),
        q("mv {part} {status}", part=part, status=_STATUS),
    )


def _size(path: Word) -> Word:
    return output(redirect(q("wc -c"), _QUIET, read_from(path)))


def _word(text: str) -> Word:
    """Return the text as a word that has no two braces in a row.

    SSM puts values from its parameter store, and parameters of the document, in the place of what
    stands in double braces: https://docs.aws.amazon.com/systems-manager/latest/userguide/
    parameter-store-integrating-documents.html.
    """
    first, *rest = _SECOND_BRACE.split(text)
    parts: list[object] = [first]
    for each in rest:
        parts += [ref("brace"), each[1:]]
    return join(*parts)
