"""What PEM says: the one certificate in a text, its fingerprint."""

import base64
import binascii
import hashlib
import re

from chalicelib.hostspec.resource import Resource, check

__all__ = ["body_of", "check_pem", "fingerprint", "plain_pem"]

_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----\s+(?P<body>[A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_WIDTH = 64
_SEQUENCE = b"\x30"
"""What each certificate begins with, as DER."""


def check_pem(resource: Resource, pem: str) -> None:
    """Refuse a text that does not hold just one certificate, with or without text around it.

    Raises:
        SpecError: names the resource.
    """
    found = _PEM.findall(pem)
    check(resource, len(found) == 1, f"pem: {len(found)} certificates, and not one")
    try:
        der = base64.b64decode("".join(found[0].split()), validate=True)
    except binascii.Error:
        der = b""
    check(resource, der.startswith(_SEQUENCE), "pem: that is no certificate")


def body_of(pem: str) -> str:
    """Return the first certificate of a text as base64 without line ends."""
    match = _PEM.search(pem)
    return "".join(match["body"].split()) if match else ""


def plain_pem(pem: str) -> str:
    """Return the first certificate of a text, and nothing around it, in lines of 64 characters."""
    body = body_of(pem)
    lines = [body[at : at + _WIDTH] for at in range(0, len(body), _WIDTH)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def fingerprint(pem: str) -> str:
    """Return what people compare: SHA-256 of the first certificate of a text, in hexadecimal."""
    return hashlib.sha256(base64.b64decode(body_of(pem))).hexdigest()
