"""A signed list of packages, as apk repositories have it, made here and put on a machine."""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from chalicelib.shell import command
from chalicelib.transport import Transport

__all__ = ["ApkKey", "put_repository", "put_stand_in"]

_STAND_IN = Path(__file__).with_name("apk_stand_in.py")


@dataclass(frozen=True, slots=True)
class ApkKey:
    """A key that lists are signed with; `name` is that of its file on a host."""

    name: str
    private: rsa.RSAPrivateKey

    @classmethod
    def make(cls, name: str) -> "ApkKey":
        """Make one."""
        return cls(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @property
    def public(self) -> str:
        """In PEM."""
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        made = self.private.public_key().public_bytes(serialization.Encoding.PEM, kind)
        return made.decode()


def _segment(name: str, content: bytes, *, end: bool) -> bytes:
    """Return one gzip stream of a tar of one file; only the last has the mark of the end."""
    made = io.BytesIO()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(content))
    blocks = 512 + -(-len(content) // 512) * 512
    return gzip.compress(made.getvalue() if end else made.getvalue()[:blocks])


def put_repository(machine: Transport, folder: str, packages: list[str], key: ApkKey) -> None:
    """Put a list on a machine: each package is `name version` and the names that it needs."""
    lines = []
    for name, version, *needs in map(str.split, packages):
        needed = f"D:{' '.join(needs)}\n" if needs else ""
        lines.append(f"P:{name}\nV:{version}\nA:noarch\n{needed}\n")
    listed = _segment("APKINDEX", "".join(lines).encode(), end=True)
    # apk-v2(5): "RSA" is that with SHA-1, over the stream that follows.
    signature = key.private.sign(listed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - as apk
    first = _segment(f".SIGN.RSA.{key.name}", signature, end=False)
    machine.run(command("mkdir", "-p", f"{folder}/x86_64"))
    machine.put(first + listed, f"{folder}/x86_64/APKINDEX.tar.gz")


def put_stand_in(machine: Transport) -> None:
    """Put the stand-in on a machine."""
    machine.put(_STAND_IN.read_bytes(), "/sbin/apk", mode=0o755)
