"""From a command to the text that a shell runs: the one place where shell is written.

`render` is pure and total: what it cannot say was refused when the value was built, but for what
depends on the dialect and the facts given here. A statement has two looks: in one line (`flat`),
and in several (`lines`), where an operator may break the line only after itself and the body of a
here-document follows the line that asked for it and is never indented.
"""

from collections.abc import Iterable
from enum import StrEnum

from chalicelib.errors import ShellError
from chalicelib.shell.commands import (
    Alias,
    AndOr,
    ArrayAssign,
    ArraySet,
    Assign,
    Background,
    Case,
    Command,
    Document,
    For,
    FunctionDefinition,
    Group,
    If,
    MapDeclare,
    MapSet,
    Negation,
    Node,
    Pipe,
    Redirect,
    Redirected,
    Script,
    ScriptCall,
    Subshell,
    While,
)
from chalicelib.shell.lines import Line, code, indent, join_operator, suffix
from chalicelib.shell.quoting import delimiter, quote, quote_always
from chalicelib.shell.render_words import WordRenderer
from chalicelib.shell.scriptfunctions import choose
from chalicelib.shell.words import Output, Word

__all__ = ["Dialect", "explain", "render"]

_WIDTH = 88
_COMPOUND = (Group, Subshell, If, Case, For, While)
_SIMPLE = (Command, Assign, Alias, ArrayAssign, ArraySet, MapDeclare, MapSet)
_STAGE = (*_COMPOUND, *_SIMPLE, Redirected)
_MEMBER = (*_STAGE, Pipe, Negation)


class Dialect(StrEnum):
    """The shells a script is for: any POSIX sh that has `local`, or bash 5 with arrays and maps."""

    POSIX = "posix"
    BASH = "bash"


def render(node: Node, *, dialect: Dialect = Dialect.POSIX, facts: Iterable[str] = ()) -> str:
    """Return the script to execute, with secrets in it: give it to a shell, don't print it.

    Args:
        node: what to run.
        dialect: the shell that will run it.
        facts: what is known of its system (`"debian"`, `"debian-12"`), for script functions.

    Raises:
        ShellError: the dialect lacks something that the node uses, a script function has no one
            implementation for the facts, or the node is nested beyond all reason.
    """
    return _render(node, _Renderer(dialect, frozenset(facts), reveal=True))


def explain(node: Node, *, dialect: Dialect = Dialect.POSIX, facts: Iterable[str] = ()) -> str:
    """Return what `render` does with stars for each secret: for people and logs.

    Raises:
        ShellError: as `render`.
    """
    return _render(node, _Renderer(dialect, frozenset(facts), reveal=False))


def _render(node: Node, renderer: "_Renderer") -> str:
    try:
        node = renderer.resolve(node)
        if isinstance(node, Command):  # most are one, and it has one form only
            return renderer.command(node)
        in_line = isinstance(node, Script) and node.inline
        flat = renderer.fitting(node, inline=in_line)
        return flat if flat is not None else "\n".join(each.text for each in renderer.lines(node))
    except RecursionError:
        raise ShellError(reason="nested deeper than can be rendered") from None


class _Renderer:
    """The renderer for one dialect, one system and one audience."""

    def __init__(self, dialect: Dialect, facts: frozenset[str], *, reveal: bool) -> None:
        self._dialect = dialect
        self._facts = facts
        self._inline = False
        self._depth = 0
        self._words = WordRenderer(self._substitution, self._need_bash, reveal=reveal)
        # Both looks of a statement ask for the same substitutions; without this, time would
        # double at each level. The key's object is kept, so that no other gets its id.
        self._substitutions: dict[int, tuple[Output, str]] = {}

    def resolve(self, node: Node) -> Node:
        """Return what the node comes to: a script function's choice, the only one of a list."""
        while True:
            match node:
                case ScriptCall():
                    node = choose(node, self._facts)
                case Script(nodes=(only,)) | AndOr(nodes=(only,)) | Pipe(nodes=(only,)):
                    node = only
                case _:
                    return node

    def _need_bash(self, what: str) -> None:
        if self._dialect is not Dialect.BASH:
            raise ShellError(reason=f"{what} needs the bash dialect")

    def _substitution(self, part: Output) -> str:
        if id(part) not in self._substitutions:
            node = self.resolve(part.command)
            flat = self.fitting(node, inline=True)
            if flat is None:
                self._depth += 1
                body = "\n".join(each.text for each in indent(self.lines(node)))
                self._depth -= 1
                text = f"$(\n{body}\n)"
            else:
                text = f"$( {flat})" if flat.startswith("(") else f"$({flat})"
            self._substitutions[id(part)] = (part, text)
        return self._substitutions[id(part)][1]

    def fitting(self, node: Node, *, inline: bool = False) -> str | None:
        """Return the node in one line, if that is not too long.

        Sequences are never put in one line with others, but where `inline` asks for it.
        """
        outside, self._inline = self._inline, inline
        try:
            flat = self._flat(node)
        finally:
            self._inline = outside
        return flat if flat is not None and len(flat) <= _WIDTH else None

    def _member(self, node: Node, allowed: tuple[type, ...]) -> Node:
        """Return the node as it may stand under an operator: in braces, if it binds less."""
        node = self.resolve(node)
        return node if isinstance(node, allowed) else Group(node)

    def _members(self, node: AndOr | Pipe) -> list[Node]:
        allowed = _MEMBER if isinstance(node, AndOr) else _STAGE
        return [self._member(each, allowed) for each in node.nodes]

    # One line.

    def _flat(self, node: Node) -> str | None:  # noqa: PLR0911 - one answer for each kind
        node = self.resolve(node)
        match node:
            case Script() | AndOr() | Pipe():
                return self._flat_list(node)
            case Negation():
                return self._wrapped("! ", self._member(node.node, (*_STAGE, Pipe)), "")
            case Background():
                return self._wrapped("", self._member(node.node, (*_STAGE, Pipe)), " &")
            case Group():
                return self._wrapped("{ ", node.node, " }", end=";")
            case Subshell():
                return self._wrapped("(", node.node, ")")
            case Redirected():
                return self._flat_redirected(node)
            case If() | Case() | For() | While() | FunctionDefinition():
                return None
            case _:
                text = self._simple(node)
                return None if "\n" in text else text

    def _wrapped(self, before: str, node: Node, after: str, end: str = "") -> str | None:
        flat = self._flat(node)
        if flat is None:
            return None
        if before == "(" and flat.startswith("("):
            before = "( "  # `((` starts arithmetic
        return before + (flat if flat.endswith(" &") else flat + end) + after

    def _flat_list(self, node: Script | AndOr | Pipe) -> str | None:
        if not node.nodes:
            return _nothing(node)
        if isinstance(node, Script) and not self._inline:
            return None
        members = node.nodes if isinstance(node, Script) else self._members(node)
        flat = [self._flat(each) for each in members]
        found = [each for each in flat if each is not None]
        if len(found) < len(flat):
            return None
        if isinstance(node, Script):
            *first, last = found
            ended = [each if each.endswith(" &") else each + ";" for each in first]
            return " ".join([*ended, last])
        return f" {_operator(node)} ".join(found)

    def _merged(self, node: Redirected) -> Redirected:
        """Return the same without braces around a subshell that is redirected itself.

        Dash 0.5.12 and busybox 1.35 forget the inner redirection of `{ (x) >a; } >b`.
        """
        inner = self.resolve(node.node)
        while isinstance(inner, Group):
            inner = self.resolve(inner.node)
        if not isinstance(inner, Redirected):
            return node
        inner = self._merged(inner)
        if not isinstance(self.resolve(inner.node), Subshell):
            return node
        return Redirected(inner.node, (*node.redirects, *inner.redirects))

    def _flat_redirected(self, node: Redirected) -> str | None:
        node = self._merged(node)
        if any(isinstance(each, Document) for each in node.redirects):
            return None
        flat = self._flat(self._member(node.node, (*_COMPOUND, Command)))
        redirects = [self._redirect(each) for each in node.redirects if isinstance(each, Redirect)]
        text = " ".join([flat or "", *redirects])
        return None if flat is None or "\n" in text else text

    # Several lines.

    def lines(self, node: Node) -> list[Line]:
        """Return the node as statements, one command a line."""
        node = self.resolve(node)
        if isinstance(node, Script):
            return [line for each in node.nodes for line in self.lines(each)] or code(":")
        flat = self.fitting(node)
        return self._broken(node) if flat is None else code(flat)

    def _broken(self, node: Node) -> list[Line]:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
        match node:
            case AndOr() | Pipe():
                *first, last = [self.lines(each) for each in self._members(node)]
                return join_operator([*map(_closed, first), last], _operator(node))
            case Negation():
                negated = self.lines(self._member(node.node, (*_STAGE, Pipe)))
                return [*code(f"! {negated[0].text}"), *negated[1:]]
            case Background():
                return suffix(_closed(self.lines(self._member(node.node, (*_STAGE, Pipe)))), " &")
            case Group():
                return self._block("{", node.node, "}")
            case Subshell():
                return self._block("(", node.node, ")")
            case Redirected():
                return self._redirected(node)
            case If():
                return self._if(node)
            case Case():
                return self._case(node)
            case For():
                words = "".join(f" {self._words.text(each)}" for each in node.words)
                return self._block(f"for {node.name} in{words}; do", node.body, "done")
            case While():
                word = "until" if node.until else "while"
                return [
                    *self._condition(word, node.condition, "do"),
                    *indent(self.lines(node.body)),
                    *code("done"),
                ]
            case FunctionDefinition():
                return self._block(f"{node.name}() {{", node.body, "}")
            case _:
                return code(self._simple(node))

    def _block(self, opening: str, node: Node, closing: str) -> list[Line]:
        return [*code(opening), *indent(self.lines(node)), *code(closing)]

    def _condition(self, word: str, node: Node, then: str) -> list[Line]:
        flat = self.fitting(node)
        if flat is None or flat.endswith(" &"):
            return self._block(word, node, then)
        return code(f"{word} {flat}; {then}")

    def _if(self, node: If) -> list[Line]:
        found: list[Line] = []
        for condition, body in node.branches:
            found += self._condition("elif" if found else "if", condition, "then")
            found += indent(self.lines(body))
        if node.otherwise is not None:
            found += [*code("else"), *indent(self.lines(node.otherwise))]
        return [*found, *code("fi")]

    def _case(self, node: Case) -> list[Line]:
        found = code(f"case {self._words.text(node.word)} in")
        for branch in node.branches:
            patterns = " | ".join(self._words.name(each) for each in branch.patterns)
            body = [*self.lines(branch.body), *code(";;")]
            found += indent([*code(f"{patterns})"), *indent(body)])
        return [*found, *code("esac")]

    def _redirected(self, node: Redirected) -> list[Line]:
        node = self._merged(node)
        found = self.lines(self._member(node.node, (*_COMPOUND, Command)))
        for each in node.redirects:
            if isinstance(each, Redirect):
                found = suffix(found, f" {self._redirect(each)}")
            else:
                found = self._document(each, found)
        # Bash 5.2 puts the text of a substitution together anew, and loses its way when a
        # here-document is followed by an operator or a keyword.
        return _closed(found) if self._depth else found

    def _redirect(self, redirect: Redirect) -> str:
        usual = 0 if redirect.operator in {"<", "<>"} else 1
        fd = "" if redirect.fd == usual else str(redirect.fd)
        if redirect.target is None:
            target = "&-"
        elif isinstance(redirect.target, int):
            target = f"&{redirect.target}"
        else:
            target = self._words.text(redirect.target)
        return f"{fd}{redirect.operator}{target}"

    def _document(self, document: Document, found: list[Line]) -> list[Line]:
        body = self._words.document(document.word, expanding=document.expanding)
        end = delimiter(body)
        fd = str(document.fd or "")
        found = suffix(found, f" {fd}<<{end if document.expanding else quote_always(end)}")
        text = [Line(body.removesuffix("\n"), code=False)] if body else []
        return [*found, *text, Line(end, code=False)]

    # Simple commands.

    def _simple(self, node: Node) -> str:
        match node:
            case Command():
                return self.command(node)
            case Assign():
                pairs = [self._assignment(name, value) for name, value in node.variables]
                return " ".join([node.keyword, *pairs] if node.keyword else pairs) or ":"
            case Alias():
                text = "\n".join(each.text for each in self.lines(node.node))
                return f"alias {node.name}={quote(text)}"
            case ArrayAssign() | ArraySet() | MapDeclare() | MapSet():
                return self._collection(node)
            case _:  # pragma: no cover - the callers have told the others apart
                raise ShellError(reason=f"not a command: {type(node).__name__}")

    def command(self, node: Command) -> str:
        """Return a command in one line, whatever its length."""
        environment = [self._assignment(name, value) for name, value in node.environment]
        first, *rest = node.words
        text = self._words.text
        return " ".join([*environment, self._words.name(first), *[text(each) for each in rest]])

    def _assignment(self, name: str, value: Word | None) -> str:
        return name if value is None else f"{name}={self._words.text(value)}"

    def _collection(self, node: ArrayAssign | ArraySet | MapDeclare | MapSet) -> str:
        self._need_bash("an array or a map")
        text = self._words.text
        match node:
            case ArrayAssign():
                return f"{node.name}{node.operator}({' '.join(text(each) for each in node.words)})"
            case ArraySet():
                return f"{node.name}[{self._words.calculation(node.index)}]={text(node.word)}"
            case MapDeclare():
                return f"declare -A {node.name}=()"
            case MapSet():
                return f"{node.name}[{self._words.key(node.key)}]={text(node.word)}"


def _closed(lines: list[Line]) -> list[Line]:
    """Return the lines in braces if a here-document ends them and something is to follow."""
    return lines if lines[-1].code else [*code("{"), *indent(lines), *code("}")]


def _operator(node: AndOr | Pipe) -> str:
    return node.operator if isinstance(node, AndOr) else "|"


def _nothing(node: Script | AndOr | Pipe) -> str:
    """What an empty list comes to: nothing failed, or nothing succeeded."""
    return "false" if isinstance(node, AndOr) and node.operator == "||" else ":"
