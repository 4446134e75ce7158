"""YAML text → a tree of nodes with lines, its size bounded. It knows nothing of what keys mean.

Only PyYAML's scanner, parser and scalar resolver are used; nothing is ever constructed. Composing
is ours because PyYAML's composer recurses without bound, keeps duplicate keys, and refuses an
anchor that is set twice, which YAML allows and real configs do.
"""

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from chalicelib.buildconfig.complaint import complaint
from chalicelib.errors import ConfigError

__all__ = ["MAX_BYTES", "Entry", "Kind", "Mapping", "Node", "Scalar", "Sequence", "parse_document"]

MAX_BYTES = 1 << 20
_MAX_NODES = 50_000
"""Nodes as written, and entries merged. The largest of 163 real configs (85 kB) has 2,500."""
_MAX_WEIGHT = 4 << 20
"""Characters and nodes once every alias is expanded: what a bomb of aliases grows."""
_MAX_DEPTH = 64

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


class Kind(StrEnum):
    """What YAML 1.1 takes a scalar for."""

    TEXT = "text"
    BOOLEAN = "a boolean"
    INTEGER = "a number"
    FLOAT = "a decimal number"
    NULL = "null"
    TIMESTAMP = "a date"


_KINDS: AbstractMapping[str, Kind] = {
    _TAG + "str": Kind.TEXT,
    # A lone `=` and a value `<<` mean something to YAML 1.1 that no config means.
    _TAG + "value": Kind.TEXT,
    _MERGE: Kind.TEXT,
    _TAG + "bool": Kind.BOOLEAN,
    _TAG + "int": Kind.INTEGER,
    _TAG + "float": Kind.FLOAT,
    _TAG + "null": Kind.NULL,
    _TAG + "timestamp": Kind.TIMESTAMP,
}


# Nodes are shared by their aliases: comparing or printing one by value could take for ever.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Scalar:
    """A leaf.

    Attributes:
        line: 1-based line of its first character.
        weight: nodes and characters in it, aliases expanded.
        kind: what YAML takes it for.
        text: its value as text, before any reading as a number.
        raw: how it is written in the file, quotes and indentation included.
        merge: whether it is the plain `<<` that, as a key, merges.
    """

    line: int
    weight: int
    kind: Kind
    text: str
    raw: str
    merge: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sequence:
    """A list. Attributes as for `Scalar`."""

    line: int
    weight: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Entry:
    """One key of a map.

    Attributes:
        line: the key's; the value's own may be where its anchor is.
        anchored: whether an anchor is set in the key or anywhere in the value, here in the text.
        value: what the key leads to.
    """

    line: int
    anchored: bool
    value: "Node"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mapping:
    """A map in the file's order, merge keys carried out. Attributes as for `Scalar`."""

    line: int
    weight: int
    entries: AbstractMapping[str, Entry]


Node = Scalar | Sequence | Mapping


def parse_document(source: bytes | str, *, file: str) -> Node:
    """Return the root node of the one document in `source`.

    Raises:
        ConfigError: it is too large, not UTF-8, not YAML, not exactly one document, nests or
            expands too far, has a key twice or a key that is not text, or uses YAML tags.
    """
    text = _decoded(source, file)
    try:
        return _Composer(text, file).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reason = f"not valid YAML: character U+{ord(text[error.position]):04X} is not allowed"
        raise complaint(file=file, line=line, reason=reason) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be read"
        line = mark.line + 1 if mark else 1
        raise complaint(file=file, line=line, reason=f"not valid YAML: {problem}") from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets `"\UFFFFFFFF"` and `%YAML 1.<5000 digits>` through to chr() and int().
        reason = "not valid YAML: a number in an escape or a directive is out of range"
        raise complaint(file=file, line=1, reason=reason) from error


def _decoded(source: bytes | str, file: str) -> str:
    if len(source) > MAX_BYTES:
        reason = f"the file is larger than {MAX_BYTES} bytes"
        raise complaint(file=file, line=1, reason=reason)
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise complaint(file=file, line=line, reason="the file is not UTF-8") from error


class _Composer:
    """Builds the tree from PyYAML's events. One use."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._loader: Any = yaml.SafeLoader(text)
        self._anchors: dict[str, Node | None] = {}  # None while the node is being composed
        self._path: list[str] = []
        self._nodes = 0
        self._anchors_set = 0

    def document(self) -> Node:
        self._loader.get_event()  # the stream begins
        if self._loader.check_event(yaml.StreamEndEvent):
            raise self._error(1, "the file is empty")
        self._loader.get_event()  # the document begins
        root = self._node()
        self._loader.get_event()  # the document ends
        if not self._loader.check_event(yaml.StreamEndEvent):
            line = self._loader.peek_event().start_mark.line + 1
            raise self._error(line, "the file holds more than one YAML document")
        return root

    def _error(self, line: int, reason: str) -> ConfigError:
        key = "".join(self._path).removeprefix(".")
        return complaint(file=self._file, line=line, key=key, reason=reason)

    def _node(self) -> Node:
        event = self._loader.get_event()
        line = event.start_mark.line + 1
        self._count(1, line)
        if len(self._path) > _MAX_DEPTH:
            raise self._error(line, f"nested more than {_MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", line)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
            self._anchors_set += 1
        node = self._composed(event, line)
        if node.weight > _MAX_WEIGHT:
            raise self._error(line, "its aliases expand to too large a config")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise self._error(line, f"the file has more than {_MAX_NODES} values")

    def _alias(self, anchor: str, line: int) -> Node:
        if anchor not in self._anchors:
            raise self._error(line, f"there is no anchor &{anchor} above")
        target = self._anchors[anchor]
        if target is None:
            raise self._error(line, f"&{anchor} contains itself")
        return target

    def _composed(self, event: Any, line: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "seq", line)
            return self._sequence(line)
        self._check_tag(event, "map", line)
        return self._mapping(line)

    def _check_tag(self, event: Any, expected: str, line: int) -> None:
        if event.tag not in {None, "!", _TAG + expected}:
            raise self._error(line, "YAML tags are not supported")

    def _scalar(self, event: Any, line: int) -> Scalar:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _KINDS:
            raise self._error(line, "YAML tags are not supported")
        return Scalar(
            line=line,
            weight=1 + len(event.value),
            kind=_KINDS[tag],
            text=event.value,
            raw=self._text[event.start_mark.index : event.end_mark.index],
            merge=tag == _MERGE,
        )

    def _sequence(self, line: int) -> Sequence:
        items: list[Node] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            self._path.append(f"[{len(items)}]")
            items.append(self._node())
            self._path.pop()
        self._loader.get_event()
        return Sequence(
            line=line,
            weight=1 + sum(item.weight for item in items),
            items=tuple(items),
        )

    def _mapping(self, line: int) -> Mapping:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            key_line = self._loader.peek_event().start_mark.line + 1
            anchors_before = self._anchors_set
            self._path.append(".<key>")
            key = self._node()
            self._path[-1] = "." + key.text[:200] if isinstance(key, Scalar) else ".<key>"
            value = self._node()
            if isinstance(key, Scalar) and key.merge:
                # The first of several merges wins, as in SnakeYAML, which CircleCI uses.
                merged = self._merged(value, key_line) | merged
            else:
                own[self._new_key(key, own, key_line)] = Entry(
                    line=key_line, anchored=self._anchors_set > anchors_before, value=value
                )
            self._path.pop()
        self._loader.get_event()
        entries = own | {name: entry for name, entry in merged.items() if name not in own}
        return Mapping(
            line=line,
            weight=1 + sum(len(name) + entry.value.weight for name, entry in entries.items()),
            entries=entries,
        )

    def _new_key(self, key: Node, taken: AbstractMapping[str, Entry], line: int) -> str:
        if not isinstance(key, Scalar):
            raise self._error(line, "a key has to be text, not a list or a map")
        if key.kind is not Kind.TEXT:
            reason = f"a key has to be text, and YAML takes this for {key.kind}: put it in quotes"
            raise self._error(line, reason)
        if key.text in taken:
            first = taken[key.text].line
            raise self._error(line, f"the key is there twice; the first is on line {first}")
        return key.text

    def _merged(self, value: Node, line: int) -> dict[str, Entry]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        merged: dict[str, Entry] = {}
        for source in sources:
            if not isinstance(source, Mapping):
                raise self._error(line, "only a map, or a list of maps, can be merged with <<")
            self._count(len(source.entries), line)  # a chain of merges is quadratic
            merged = {**source.entries, **merged}
        return merged
