"""Which proxy a request goes through: the usual variables, read as Go reads them (contract ollama-store §3.1)."""

from __future__ import annotations

import urllib.request

from yarl import URL

from puna.errors import RegistryError
from puna.registry.hosts import Origin


def proxy_for(origin: Origin) -> URL | None:
    """`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in either case. Raises `RegistryError` for a value of no use.

    No proxy stands between this machine and itself.
    """
    if origin.is_this_machine:
        return None
    setting = urllib.request.getproxies().get(origin.scheme, "").strip()
    if not setting or urllib.request.proxy_bypass(f"{origin.host}:{origin.port}"):
        return None
    try:
        proxy = URL(setting if "://" in setting else f"http://{setting}")
    except ValueError:
        proxy = None
    if proxy is None or proxy.scheme not in ("http", "https") or not proxy.host:
        raise RegistryError(f"{origin.scheme.upper()}_PROXY cannot be used: give it as http://host:port")
    return proxy
