"""Makes the one file that is put on a host: `python3 -I supervisor.pyz <attempt directory>`.

The archive holds this package's sources under their own names, and beside each the bytecode of the
Python that made the bundle: a host with the same Python starts without compiling, any other falls
back to the source (zipimport checks the magic number).
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

__all__ = ["bundle"]

_HERE = Path(__file__).parent
_PACKAGE = "chalicelib/supervisor"
_NOT_SHIPPED = frozenset({"bundle.py"})
_STAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can express
_MAIN = b"""\
import sys

from chalicelib.supervisor.run import main

sys.exit(main(sys.argv))
"""
_UNCHECKED_HASH = 0b01  # PEP 552: valid whatever the source's time or content


def bundle() -> bytes:
    """Return the supervisor as a zipapp; the same bytes for the same sources and Python."""
    files = {"__main__.py": _MAIN, "chalicelib/__init__.py": b""}
    for path in sorted(_HERE.glob("*.py")):
        if path.name not in _NOT_SHIPPED:
            files[f"{_PACKAGE}/{path.name}"] = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            _add(archive, name, content)
            if name != "__main__.py":
                _add(archive, f"{name}c", _compiled(name, content))
    return buffer.getvalue()


def _compiled(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    return head + importlib.util.source_hash(source) + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=_STAMP)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
