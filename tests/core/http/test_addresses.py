"""Whose address a request comes from (rule R7)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.addresses import LONGEST, client_address, is_trusted

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", [b"203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"198.51.100.7", b"203.0.113.9 ,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9:4711"], "10.0.0.1"),
        ("fd00::1", [b"2001:DB8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        ("", [b"203.0.113.9"], ""),
    ],
)
def test_r07_the_client_is_the_rightmost_untrusted_hop(
    peer: str, forwarded: list[bytes], client: str
) -> None:
    """Only what trusted proxies wrote is believed, from the right; what is no address ends the walk."""
    assert client_address(peer, forwarded, PROXIES) == client


def test_cve_2023_36456_nobody_is_trusted_by_default() -> None:
    """Without ``trusted_proxies`` the header counts for nothing, from whatever peer."""
    assert client_address("10.0.0.1", [b"203.0.113.9"], ()) == "10.0.0.1"


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_header_gives_an_address(forwarded: list[bytes]) -> None:
    """Whatever bytes come, there is an answer."""
    assert client_address("10.0.0.1", forwarded, PROXIES)


@pytest.mark.parametrize(
    "text", ["", "localhost", "10.0.0", "10.0.0.1/8", "::ffff:192.0.2.1", "fe80::1%eth0"]
)
def test_what_is_no_address_of_a_proxy_is_not_trusted(text: str) -> None:
    """Names, ranges and addresses outside the networks are not trusted."""
    assert not is_trusted(text, PROXIES)


def test_what_is_longer_than_any_address_is_none() -> None:
    """It is not even looked at, so that nobody can fill the memory of addresses with long ones."""
    longest = "fe80::1%" + "z" * (LONGEST - len("fe80::1%"))
    trusted = (ip_network("10.0.0.0/8"),)
    assert client_address("10.0.0.1", [longest.encode()], trusted) == longest
    assert client_address("10.0.0.1", [longest.encode() + b"z"], trusted) == "10.0.0.1"
