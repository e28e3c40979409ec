"""Whose address counts when proxies stand in between."""

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from web.remote import remote_of

PROXY, OTHER = "10.0.0.2", "10.0.0.3"


class Connection:
    """As little of a connection as a request wants."""

    context = None


def request(peer: str, *forwarded: str) -> HTTPServerRequest:
    headers = HTTPHeaders({"Host": "localhost"})
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    made = HTTPServerRequest(start_line=line, headers=headers, connection=Connection())
    made.remote_ip = peer
    return made


@pytest.mark.parametrize(
    ("peer", "forwarded", "counts"),
    [
        ("203.0.113.9", ("198.51.100.7",), "203.0.113.9"),  # not a proxy: it may say anything
        (PROXY, (), PROXY),
        (PROXY, ("198.51.100.7",), "198.51.100.7"),
        (PROXY, ("192.0.2.1, 198.51.100.7",), "198.51.100.7"),  # the first one is only claimed
        (PROXY, ("192.0.2.1", f"198.51.100.7, {OTHER}"), "198.51.100.7"),
        (PROXY, ("2001:DB8::1",), "2001:db8::1"),
        (PROXY, ("<script>",), PROXY),
        (PROXY, (f"{OTHER}",), OTHER),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_its_last_word(peer, forwarded, counts):
    assert remote_of(request(peer, *forwarded), {PROXY, OTHER}) == counts
