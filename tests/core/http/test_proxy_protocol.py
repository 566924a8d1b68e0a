"""The PROXY protocol: what proxies send, what nobody may, and never a byte of what comes behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.proxy_protocol import LONGEST, bytes_missing, proxied_client

CORPUS = yaml.safe_load((Path(__file__).parents[2] / "corpus/proxy_protocol.yaml").read_text("utf-8"))
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def read(stream: bytes) -> tuple[bytes, str | None]:
    """As it is read off a socket: what is left of ``stream`` behind the header, and whose it is."""
    header = b""
    while missing := bytes_missing(header):
        piece = stream[len(header) : len(header) + missing]
        if not piece:
            raise EOFError
        header += piece
    return stream[len(header) :], proxied_client(header)


def wire(sample: dict[str, Any]) -> bytes:
    return bytes.fromhex(sample["hex"]) if "hex" in sample else sample["line"].encode("latin-1")


@pytest.mark.parametrize("sample", CORPUS["good"], ids=lambda sample: sample["what"])
def test_a_header_gives_its_client_and_leaves_what_comes_behind(sample: dict[str, Any]) -> None:
    """TLS or a request: not a byte of it is taken."""
    for behind in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", SIGNATURE):
        assert read(wire(sample) + behind) == (behind, sample["client"])


@pytest.mark.parametrize("sample", CORPUS["hostile"], ids=lambda sample: sample["what"])
def test_what_is_no_header_is_refused(sample: dict[str, Any]) -> None:
    """No second guess: a connection without a header is nobody's."""
    with pytest.raises(DownstreamError) as refused:
        read(wire(sample) + b"A" * 8_192)
    assert refused.value.code == "malformed_request"


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda data: SIGNATURE + data)
    | st.text("PROXY TCP46 UNKNOWN0123456789abcdef.:\r\n", max_size=130).map(
        lambda text: b"PROXY " + text.encode()
    )
)
def test_any_bytes_are_a_header_or_refused_and_never_read_further(data: bytes) -> None:
    """Whatever comes there is an end to it, within the longest header, and a whole header is a whole reading."""
    try:
        rest, client = read(data)
    except (DownstreamError, EOFError):
        return
    header = data[: len(data) - len(rest)]
    assert len(header) <= LONGEST
    assert client is None or client
    assert header.startswith(SIGNATURE) or header.endswith(b"\r\n")


@given(st.ip_addresses(), st.ip_addresses(v=4), st.integers(0, 65_535), st.integers(0, 65_535))
def test_every_address_is_read_as_it_was_meant(client: Any, server: Any, port: int, to: int) -> None:
    """In both versions, and IPv4 in IPv6 as IPv4."""
    other = server if client.version == 4 else "2001:db8::1"
    line = f"PROXY TCP{client.version} {client} {other} {port} {to}\r\n".encode()
    expected = str(getattr(client, "ipv4_mapped", None) or client)
    assert read(line) == (b"", expected)
    packed = client.packed + (server.packed if client.version == 4 else bytes(16)) + bytes(4)
    family = b"\x11" if client.version == 4 else b"\x21"
    assert read(SIGNATURE + b"\x21" + family + len(packed).to_bytes(2, "big") + packed) == (b"", expected)
