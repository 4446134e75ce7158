"""Copying files to and from a host, over nothing but running commands there."""

import io
import os
import posixpath
from typing import IO

from chalicelib.errors import ShellError
from chalicelib.shell import (
    Item,
    Node,
    all_of,
    any_of,
    assign,
    command,
    duplicate,
    equal,
    exit_,
    group,
    is_directory,
    last_status,
    output,
    println,
    q,
    read_from,
    redirect,
    ref,
    script,
    when,
    write_to,
)

__all__ = ["place_script", "put_script", "size_of"]


def size_of(content: bytes | IO[bytes]) -> int:
    """Return how many bytes there are from where the file is now.

    Raises:
        ShellError: the file cannot tell.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        return len(content)
    try:
        here = content.tell()
        size = content.seek(0, os.SEEK_END) - here
        content.seek(here)
    except (OSError, io.UnsupportedOperation) as error:
        reason = "a file to put must tell its size: read it first"
        raise ShellError(reason=reason) from error
    return size


def put_script(path: str, *, size: int, mode: int, owner: str | None) -> Node:
    """Return the script that makes its input the file: whole, or not at all.

    So many bytes must have come: a connection that ends early looks like the end of the input.
    """
    written = redirect("wc -c", read_from(_PART))
    return place_script(
        path, content="cat", mode=mode, owner=owner, whole=equal(output(written), size)
    )


_PART = ref("part")


def place_script(
    path: str, *, content: Item, mode: int, owner: str | None = None, whole: Item = ()
) -> Node:
    """Return the script that makes what a command prints the file: whole, or not at all.

    It is written under another name beside its place, readable by its owner alone, and renamed.

    Args:
        path: where; what is there is replaced, a symbolic link too, but no directory.
        content: prints the content.
        mode: permission bits.
        owner: `user` or `user:group`. Default: who runs the script.
        whole: holds if the file whose name is in `part` is what it should be.
    """
    status = ref("status")
    target = path if path.startswith("/") else f"./{path}"
    folder, name = posixpath.split(target)
    if not name:
        raise ShellError(reason=f"no name of a file: {path!r}")
    make = command("mktemp", posixpath.join(folder, f".{name[:100]}.XXXXXX"))
    moved = all_of(
        redirect(content, write_to(_PART)),
        whole,
        # In this order: a change of owner takes setuid and setgid bits away.
        *([q("chown {owner} {part}", owner=owner, part=_PART)] if owner else []),
        q("chmod {mode} {part}", mode=f"{mode:o}", part=_PART),
        q("mv -f {part} {target}", part=_PART, target=target),
    )
    undone = group(assign("status", last_status()), q("rm -f {part}", part=_PART), exit_(status))
    refused = println(f"{target} is a directory")
    return script(
        when(is_directory(target), redirect(refused, duplicate(1, 2)), exit_(1)),
        any_of(assign("part", output(make)), exit_()),
        any_of(moved, undone),
    )
