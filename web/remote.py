"""Whose address a request comes from, when proxies stand in between (来源地址).

A proxy's word is taken only when the connection itself comes from one of
`server.trusted_proxies`; then the last address in X-Forwarded-For that is no such proxy counts.
Anybody else may write what they like there.
"""

import ipaddress
from collections.abc import Collection

from tornado.httputil import HTTPServerRequest


def remote_of(request: HTTPServerRequest, trusted: Collection[str]) -> str:
    """Return the address as text; what is no address is left out of account."""
    peer = request.remote_ip or ""
    if peer not in trusted:
        return peer
    hops = ",".join(request.headers.get_list("X-Forwarded-For")).split(",")
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:
            break
        if address not in trusted:
            return address
        peer = address
    return peer


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
