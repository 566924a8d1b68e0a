"""Whose address a request comes from (rule R7)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.http.addresses import (
    CLIENT_HEADERS,
    LONGEST,
    UNKNOWN,
    client_address,
    is_trusted,
    why_unknown,
)

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("35.191.0.0/16"))


SAMPLES = yaml.safe_load((Path(__file__).parents[2] / "corpus/forwarded_for.yaml").read_text("utf-8"))


def said(lines: list[str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode("latin-1"))
        for name, _, value in (line.partition(": ") for line in lines)
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["by"])
def test_r07_every_proxy_s_word_about_its_client_is_read_as_it_writes_it(sample: dict[str, Any]) -> None:
    """The rightmost hop that is no trusted proxy; what cannot be read is `unknown`, with its reason."""
    header = sample.get("header", "X-Forwarded-For").lower().encode()
    assert header in CLIENT_HEADERS
    lines = said(sample["said"])
    client = client_address("10.0.0.1", lines, PROXIES, header)
    assert client == sample["client"]
    if client == UNKNOWN:
        assert why_unknown(lines, header) == sample["why"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7", "203.0.113.9 ,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.9, _hidden, 10.0.0.2"], UNKNOWN),
        ("fd00::1", ["2001:DB8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_r07_the_client_is_the_rightmost_untrusted_hop(peer: str, forwarded: list[str], client: str) -> None:
    """Only what trusted proxies wrote is believed, from the right; what is no address ends the walk."""
    lines = said([f"X-Forwarded-For: {value}" for value in forwarded])
    assert client_address(peer, lines, PROXIES) == client


def test_cve_2023_36456_nobody_is_trusted_by_default() -> None:
    """Without ``trusted_proxies`` the header counts for nothing, from whatever peer."""
    assert client_address("10.0.0.1", said(["X-Forwarded-For: 203.0.113.9"]), ()) == "10.0.0.1"


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(CLIENT_HEADERS)), st.binary(max_size=60)), min_size=1, max_size=4
    ),
    st.sampled_from(sorted(CLIENT_HEADERS)),
)
def test_nobody_is_ever_taken_for_the_proxy(lines: list[tuple[bytes, bytes]], header: bytes) -> None:
    """Whatever bytes a proxy passes on, the client is an address that stands there, or unknown."""
    client = client_address("10.0.0.1", lines, PROXIES, header)
    if client == UNKNOWN:
        assert why_unknown(lines, header) in {"missing", "empty", "unknown", "hidden", "malformed"}
    else:
        ip_address(client.partition("%")[0])
        assert client != "10.0.0.1" or any(b"10.0.0.1" in value for _, value in lines)


@given(st.text('for=";,\\\\[]:._ 19a', max_size=40))
def test_a_client_s_own_line_never_changes_what_the_proxy_s_line_says(line: str) -> None:
    """Proxies that add a line: whatever stands in the one before, the last one decides."""
    lines = said([f"Forwarded: {line}", 'Forwarded: proto=https;for="[2001:db8::7]:443"'])
    assert client_address("10.0.0.1", lines, PROXIES, b"forwarded") == "2001:db8::7"


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
    assert client_address("10.0.0.1", said([f"X-Forwarded-For: {longest}"]), trusted) == longest
    assert client_address("10.0.0.1", said([f"X-Forwarded-For: {longest}z"]), trusted) == UNKNOWN
