"""A node together with the way to it, so that every complaint names file, line and key.

Reading only: it says what a node is, never what it means.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.buildconfig.complaint import complaint
from chalicelib.buildconfig.document import Kind, Node, Scalar, Sequence
from chalicelib.buildconfig.document import Mapping as MappingNode
from chalicelib.errors import ConfigError

__all__ = ["NOT_YET", "Cursor"]

NOT_YET = "not supported yet"

# In 2.1 CircleCI takes every `<<` for a template and refuses `<<EOF`. Berth takes only what can be
# a template for one, so that here-documents and `>> file` stay ordinary shell.
_TEMPLATE = re.compile(
    r"(?<!\\)<<[#^/]?\s*(?:not\s|\(|\s)*(?:parameters|pipeline|matrix|orb|executor|job)\s*\."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """One place in a config.

    Attributes:
        file: path in the repository.
        key: dotted way from the root, such as `jobs.build.steps[0]`; empty at the root.
        key_line: 1-based line of the key or list item that leads here.
        node: what is there; its own line may be where an anchor is.
        templates: whether `<< … >>` is a template (2.1) or plain text (2.0).
    """

    file: str
    key: str
    key_line: int
    node: Node
    templates: bool = False

    def error(self, reason: str) -> ConfigError:
        """Return a complaint about the value."""
        return complaint(file=self.file, line=self.node.line, key=self.key, reason=reason)

    def key_error(self, reason: str) -> ConfigError:
        """Return a complaint about the key that leads to the value."""
        return complaint(file=self.file, line=self.key_line, key=self.key, reason=reason)

    @property
    def is_mapping(self) -> bool:
        """Whether a map is here."""
        return isinstance(self.node, MappingNode)

    @property
    def is_sequence(self) -> bool:
        """Whether a list is here."""
        return isinstance(self.node, Sequence)

    @property
    def is_null(self) -> bool:
        """Whether nothing is here: an empty value, `~` or `null`."""
        return self._is_kind(Kind.NULL)

    @property
    def is_true(self) -> bool:
        """Whether one of YAML's words for true is here, without quotes."""
        return self._is_kind(Kind.BOOLEAN) and self.scalar().text.lower() in {"true", "yes", "on"}

    def _is_kind(self, kind: Kind) -> bool:
        return isinstance(self.node, Scalar) and self.node.kind is kind

    def fields(self) -> Mapping[str, "Cursor"]:
        """Return the map's values by key, in the file's order; ConfigError if it is no map."""
        if not isinstance(self.node, MappingNode):
            raise self.error("has to be a map")
        found: dict[str, Cursor] = {}
        for name, entry in self.node.entries.items():
            place = self._at(f".{name}" if self.key else name, entry.line, entry.value)
            if self.templates and _TEMPLATE.search(name):
                raise place.key_error(f"a template is {NOT_YET}")
            found[name] = place
        return found

    def sets_anchor(self, name: str) -> bool:
        """Whether an anchor is set, in this place of the text, under that key of the map."""
        return isinstance(self.node, MappingNode) and self.node.entries[name].anchored

    def items(self) -> Iterator["Cursor"]:
        """Yield the list's items; ConfigError if it is no list."""
        if not isinstance(self.node, Sequence):
            raise self.error("has to be a list")
        for index, item in enumerate(self.node.items):
            yield self._at(f"[{index}]", item.line, item)

    def _at(self, suffix: str, line: int, node: Node) -> "Cursor":
        return Cursor(
            file=self.file,
            key=self.key + suffix,
            key_line=line,
            node=node,
            templates=self.templates,
        )

    def refuse_others(self, supported: frozenset[str], known: frozenset[str]) -> None:
        """Raise ConfigError for the first key of the map that is not in `supported`."""
        for name, place in self.fields().items():
            if name in known and name not in supported:
                raise place.key_error(NOT_YET)
            if name not in supported:
                raise place.key_error("unknown key")

    def scalar(self) -> Scalar:
        """Return the node if it is a scalar; ConfigError if not."""
        if not isinstance(self.node, Scalar):
            raise self.error("has to be text, not a list or a map")
        return self.node

    def text(self) -> str:
        r"""Return the text that is here; in 2.1 with CircleCI's escape `\<<` taken out.

        Raises:
            ConfigError: it is no text, cannot be passed to a process, or holds a template.
        """
        node = self.scalar()
        if node.kind is not Kind.TEXT:
            raise self.error(f"has to be text, and YAML takes it for {node.kind}: put it in quotes")
        return self.plain(node.text)

    def plain(self, text: str) -> str:
        """Return `text`, which came from this scalar, if it can go into a job.

        Raises:
            ConfigError: it holds a template, a NUL or half a surrogate pair.
        """
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self.error("holds a character that no command can be given")
        if not self.templates:
            return text
        if _TEMPLATE.search(text):
            raise self._template_error()
        return text.replace(r"\<<", "<<")

    def _template_error(self) -> ConfigError:
        node = self.scalar()
        found = _TEMPLATE.search(node.raw)
        line = node.line + (node.raw.count("\n", 0, found.start()) if found else 0)
        reason = f"a template (<< … >>) is {NOT_YET}"
        return complaint(file=self.file, line=line, key=self.key, reason=reason)
