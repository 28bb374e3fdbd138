"""Hosts: the regions of Intercom, which addresses a token may be sent to, and through which proxy."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from requests.utils import should_bypass_proxies

from reconciler.errors import Usage
from reconciler.intercom.http.request import is_well_formed

REGIONS: Mapping[str, str] = MappingProxyType(
    {"us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"}
)


def check_address(base_url: str) -> SplitResult:
    """The address of an API, without a slash at its end. Raises Usage unless it is https, or http on this machine, without credentials."""
    try:
        url = urlsplit(base_url)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise Usage("the base URL is no URL") from None
    if "@" in url.netloc:
        raise Usage("the base URL must not hold a user or a password; only the token authenticates")
    if not re.fullmatch(r"[!-~]+", base_url) or not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9a-f.]*:[0-9a-f:.]*", host):
        raise Usage("the base URL needs a scheme and a host, as in https://api.intercom.io")
    if url.query or url.fragment or not is_well_formed(url.path.rstrip("/") or "/"):
        raise Usage("the base URL is a host and at most a plain path")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url)):
        raise Usage("the base URL must be https (http only on this machine), or the token could be read on the way")
    return url._replace(path=url.path.rstrip("/"))


def is_loopback(url: SplitResult) -> bool:
    host = url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxies_for(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """HTTPS_PROXY and NO_PROXY, read once: requests would read them at every call (30 % of its time)."""
    https, everything, without = (environ.get(name) or environ.get(name.upper()) for name in ("https_proxy", "all_proxy", "no_proxy"))
    proxy = https or everything
    return {"https": proxy} if proxy and not should_bypass_proxies(url, without or "") else {}


def authorities(environ: Mapping[str, str]) -> str | bool:
    """The file or folder of TLS authorities that the environment names, or those of certifi."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if bundle := environ.get(name):
            if not os.path.exists(bundle):
                raise Usage(f"{name} names no file or folder")
            return bundle
    return True
