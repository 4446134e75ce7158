"""What pylxd, requests, ws4py and sockets raise, as errors of ours. Each class they have is here.

A test walks the libraries and fails when a class is missing here, so that a new version which
brings one is noticed. Importing this file imports pylxd, which takes 175 ms.
"""

import json
import ssl

import requests.exceptions as http
import urllib3.exceptions
from pylxd import exceptions as lxd
from ws4py import exc as websocket

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostKeyError,
    HostUnreachableError,
    TransportSettingError,
)

__all__ = ["FOREIGN", "TABLE", "reason_of", "translated"]

_Kind = type[AuthenticationError | ConnectionLostError | HostKeyError | TransportSettingError]

_LOST = (
    lxd.LXDAPIException,
    lxd.NotFound,
    lxd.Conflict,
    lxd.ClientConnectionFailed,
    http.RequestException,
    urllib3.exceptions.HTTPError,
    json.JSONDecodeError,
    http.JSONDecodeError,
    http.InvalidJSONError,
    http.HTTPError,
    http.ConnectionError,
    http.ProxyError,
    http.Timeout,
    http.ConnectTimeout,
    http.ReadTimeout,
    http.TooManyRedirects,
    http.ChunkedEncodingError,
    http.ContentDecodingError,
    http.StreamConsumedError,
    http.RetryError,
    http.UnrewindableBodyError,
    websocket.WebSocketException,
    websocket.ProtocolException,
    websocket.FrameTooLargeException,
    websocket.UnsupportedFrameTypeException,
    websocket.TextFrameEncodingException,
    websocket.InvalidBytesError,
    websocket.StreamClosed,
    websocket.HandshakeError,
    OSError,
)
_SETTING = (
    # An LXD without projects, or an address that is none: a repeat would end the same.
    lxd.LXDAPIExtensionNotAvailable,
    http.URLRequired,
    http.MissingSchema,
    http.InvalidSchema,
    http.InvalidURL,
    http.InvalidHeader,
    http.InvalidProxyURL,
)

TABLE: dict[type[BaseException], _Kind] = {
    **dict.fromkeys(_LOST, ConnectionLostError),
    **dict.fromkeys(_SETTING, TransportSettingError),
    http.SSLError: HostKeyError,
    ssl.SSLCertVerificationError: HostKeyError,
}
"""What each class becomes; a subclass that is not here becomes what its nearest base does."""

FOREIGN = (
    lxd.LXDAPIException,
    lxd.LXDAPIExtensionNotAvailable,
    lxd.ClientConnectionFailed,
    urllib3.exceptions.HTTPError,
    json.JSONDecodeError,
    websocket.WebSocketException,
    websocket.StreamClosed,
    OSError,  # requests' own errors are kinds of it
)
"""The roots: to be caught where LXD is called."""

_REFUSED = (401, 403)


def translated(error: BaseException, *, host: str, sent: bool) -> BerthError:
    """Return the error of ours for one of `FOREIGN`.

    Args:
        error: what was raised.
        host: the host's name.
        sent: whether a command may have been started. If not, the host is merely unreachable.
    """
    kind = next(TABLE[base] for base in type(error).__mro__ if base in TABLE)
    reason = reason_of(error)
    if getattr(getattr(error, "response", None), "status_code", 0) in _REFUSED:
        return AuthenticationError(host=host, reason=reason)
    if kind is TransportSettingError:
        return TransportSettingError(host=host, reason=reason)
    if kind is HostKeyError:
        return HostKeyError(host=host, reason=reason, offered="", expected=())
    if sent:
        return ConnectionLostError(host=host, reason=reason, may_have_run=True)
    return HostUnreachableError(host=host, reason=reason)


def reason_of(error: BaseException) -> str:
    """Return what an error says, or its name if it says nothing."""
    try:
        said = str(error)
    except (ValueError, KeyError, TypeError, AttributeError):  # pylxd parses the answer for it
        said = ""
    return said or type(error).__name__
