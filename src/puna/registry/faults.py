"""What went wrong on the network, in Puna's own words: no addresses, no remote text, no query of a URL (T05)."""

from __future__ import annotations

import errno
import os
import socket

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from puna.errors import Interrupted, RegistryError

FAULTS = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)
"""What aiohttp and the system raise when a request or a body fails."""

_SYSTEM_REASONS = {  # others are not shown: OpenSSL counts its errors from 1, too
    errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
    errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.EMFILE, errno.ENFILE,
}  # fmt: skip


def fault(method: str, url: URL, error: Exception) -> RegistryError:
    """The error to raise for one of `FAULTS`: `Interrupted` where the next try may do better."""
    kind, reason = _explain(error)
    return kind(f'{method} "{bare(url)}": {reason}')


def bare(url: URL) -> str:
    """The URL as errors and logs show it: queries of presigned addresses are credentials."""
    return str(url.with_query(None).with_fragment(None))[:300]


def _explain(error: Exception) -> tuple[type[RegistryError], str]:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return RegistryError, _certificate_reason(error.certificate_error)
        case aiohttp.ClientSSLError():
            return RegistryError, "the TLS handshake failed"
        case aiohttp.ClientConnectorDNSError():
            passing = getattr(error.os_error, "errno", None) == socket.EAI_AGAIN
            return (Interrupted if passing else RegistryError), "no such host"
        case aiohttp.ClientHttpProxyError():
            return (Interrupted if error.status >= 500 else RegistryError), f"the proxy answered {error.status}"
        case aiohttp.ServerDisconnectedError():
            return Interrupted, "the connection was closed before the answer"
        case aiohttp.ClientPayloadError():
            return Interrupted, "the connection was closed early"
        case aiohttp.InvalidURL():
            return RegistryError, "not a usable address"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return RegistryError, "the answer is not readable HTTP"
        case TimeoutError():
            return Interrupted, "no answer in time"
        case OSError(errno=int(number)) if number in _SYSTEM_REASONS:
            return Interrupted, os.strerror(number).lower()
    return Interrupted, "the connection failed"


def _certificate_reason(error: Exception) -> str:
    detail = str(getattr(error, "verify_message", "")).rstrip(".")
    return f"the certificate is not valid ({detail})" if detail else "the certificate is not valid"
