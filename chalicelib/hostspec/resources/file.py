"""A file: its content from the spec or from the network, its mode and owner."""

import base64
import hashlib
import re
from dataclasses import dataclass
from string import Template
from typing import ClassVar

from chalicelib.errors import SpecError
from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.path_facts import (
    CONTENT_LIMIT_BYTES,
    CONTENTS,
    DIGESTS,
    PATHS,
    PathState,
    check_path,
)
from chalicelib.shell import (
    Item,
    Node,
    Secret,
    all_of,
    any_of,
    document,
    equal,
    is_directory,
    is_symlink,
    not_,
    output,
    pipe,
    print_text,
    q,
    redirect,
    ref,
    script,
    when,
)
from chalicelib.transport.files import place_script

__all__ = ["Download", "File", "fetch", "template"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A content that the host fetches by itself, over HTTPS, with curl.

    Attributes:
        url: where; a `Secret` if it carries a signature, as presigned URLs of S3 do. It is in no
            process list either way.
        sha256: of the content, in hexadecimal. Anything else is refused.
    """

    url: str | Secret
    sha256: str


def template(text: str, **values: object) -> str | Secret:
    """Return the text with `$name` and `${name}` replaced; `$$` is a dollar.

    A text that a secret went into is one.

    >>> template("listen $port;", port=80)
    'listen 80;'

    Raises:
        SpecError: a name has no value, or a value no name, or a dollar stands alone.
    """
    found = Template(text)
    unused = sorted(set(values) - set(found.get_identifiers()))
    if unused:
        raise SpecError(reason=f"no place in the template takes {', '.join(unused)}")
    revealed = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    try:
        filled = found.substitute(revealed)
    except KeyError as error:
        raise SpecError(reason=f"the template has no value for {error.args[0]}") from None
    except ValueError as error:
        raise SpecError(reason=f"the template: {error}") from None
    return Secret(filled) if any(isinstance(v, Secret) for v in values.values()) else filled


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Resource):
    """A regular file, replaced whole or not at all.

    Attributes:
        path: absolute. Its folder must be there, or be a resource too.
        content: text, bytes, a `Secret` text (never shown, not even its length), or a `Download`.
        mode: permission bits. Default: 0644.
        owner: user. Default: root.
        group: group. Default: root.
    """

    kind: ClassVar[str] = "file"

    path: str
    content: str | bytes | Secret | Download = ""
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        named(self, self.owner, "owner")
        named(self, self.group, "group")
        check(self, re.fullmatch(r"[0-9a-f]{64}", self._digest), "sha256: 64 hexadecimal digits")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    @property
    def provides(self) -> tuple[str, ...]:
        """What is at the path."""
        return (names.path(self.path),)

    @property
    def wants(self) -> tuple[str, ...]:
        """The folders above, and whose it is."""
        return (*names.under(self.path), names.user(self.owner), names.group(self.group))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is there; its content only where that may be shown."""
        always = (PATHS(self.path), DIGESTS(self.path))
        return (*always, CONTENTS(self.path)) if self._text is not None else always

    def wanted(self) -> Fields:
        """Kind, content, mode and owner."""
        content: str | Secret = f"sha256 {self._digest}" if self._text is None else self._text
        if isinstance(self.content, Secret):
            content = Secret(self._digest)
        return {
            "kind": "file",
            "content": content,
            "mode": f"{self.mode:04o}",
            "owner": self.owner,
            "group": self.group,
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[PATHS(self.path)]
        if there is None or (self.absent and there.kind == "directory"):
            return None
        return {
            "kind": there.kind,
            "content": self._found_content(facts, there),
            "mode": there.mode,
            "owner": there.owner,
            "group": there.group,
        }

    def _found_content(self, facts: Facts, there: PathState) -> str | Secret:
        digest = facts[DIGESTS(self.path)] if there.kind == "file" else ""
        if isinstance(self.content, Secret):
            return Secret(digest)
        if digest == self._digest:
            return self.wanted()["content"]
        content = facts[CONTENTS(self.path)] if self._text is not None else None
        text = None if content is None else _as_text(content)
        return f"sha256 {digest}" if text is None else text

    def actions(self) -> tuple[Node, ...]:
        """Write it beside its place and rename it; or remove it."""
        if self.absent:
            gone = q("rm -f {path}", path=self.path)
            return (when(any_of(is_symlink(self.path), not_(is_directory(self.path))), gone),)
        right = equal(output(pipe(_digest_of_part(), "cut -c 1-64")), self._digest)
        # mv would put the new file into the folder that a link leads to.
        led = all_of(is_symlink(self.path), is_directory(self.path))
        return (
            when(led, q("rm -f {path}", path=self.path)),
            place_script(
                self.path,
                content=self._produce(),
                mode=self.mode,
                owner=f"{self.owner}:{self.group}",
                whole=right if isinstance(self.content, Download) else (),
            ),
        )

    def _produce(self) -> Item:
        """Return the command that prints the content; no argument of a process holds any of it."""
        if isinstance(self.content, Download):
            return fetch(self.content.url)
        if isinstance(self.content, bytes):
            text = _as_text(self.content)
            if text is None:
                lines = base64.encodebytes(self.content).decode()
                return redirect("base64 -d", document(lines))
            return print_text(text)
        return print_text(self.content)

    @property
    def _digest(self) -> str:
        match self.content:
            case Download(sha256=digest):
                return digest
            case Secret():
                content = self.content.reveal().encode()
            case str():
                content = self.content.encode()
            case _:
                content = self.content
        return hashlib.sha256(content).hexdigest()

    @property
    def _text(self) -> str | None:
        """The content, if people may and can read it."""
        if isinstance(self.content, str):
            return self.content if len(self.content.encode()) <= CONTENT_LIMIT_BYTES else None
        if isinstance(self.content, bytes) and len(self.content) <= CONTENT_LIMIT_BYTES:
            return _as_text(self.content)
        return None


def _as_text(content: bytes) -> str | None:
    """Return the text that bytes are, or None: not UTF-8, or with what no argument can hold."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _digest_of_part() -> Node:
    return q("sha256sum -- {part}", part=ref("part"))


def fetch(url: str | Secret) -> Node:
    """Return the command that prints what is at an HTTPS URL.

    curl reads the URL from its input, where no process list shows it.
    """
    place = url.reveal() if isinstance(url, Secret) else url
    escaped = place.replace("\\", "\\\\").replace('"', '\\"')
    config = f'url = "{escaped}"\n'
    options = "curl --fail --silent --show-error --location --proto =https --config -"
    given = document(Secret(config) if isinstance(url, Secret) else config)
    return script(redirect(q(options), given))
