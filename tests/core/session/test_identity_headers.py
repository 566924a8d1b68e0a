"""Identity header values (rule R31)."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.core.session.identity_headers import IdentityOptions, identity_headers
from gateway.core.session.session import Principal

PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)


def who(**facts):
    return Principal(**({"issuer": "https://idp", "subject": "s", "user": "alice", "claims": {}} | facts))


def test_r31_absent_claims_have_no_header():
    """To upstreams only what is known."""
    assert identity_headers(who(), IdentityOptions(claims=(("X-Team", "team"),), authorization=True)) == (
        (b"X-Auth-Request-User", b"alice"),
    )


def test_r31_forward_auth_answers_carry_all():
    """Unknown ones are there and empty, so that callers overwrite what the client sent (CVE-2026-30851)."""
    options = IdentityOptions(claims=(("X-Team", "team"),), authorization=True)

    assert identity_headers(who(email="a@b.c"), options, complete=True) == (
        (b"X-Auth-Request-User", b"alice"),
        (b"X-Auth-Request-Email", b"a@b.c"),
        (b"X-Auth-Request-Groups", b""),
        (b"X-Auth-Request-Preferred-Username", b""),
        (b"X-Team", b""),
        (b"Authorization", b""),
    )


def test_everything_known():
    """User, e-mail, groups, preferred name, claims of every kind, and the bearer token."""
    options = IdentityOptions(
        claims=(
            ("X-Team", "team"),
            ("X-Level", "level"),
            ("X-On", "on"),
            ("X-List", "list"),
            ("X-Map", "map"),
        ),
        authorization=True,
    )
    principal = who(
        email="zoë@example.com",
        groups=("admins", "a,b", "100%"),
        preferred_username="Al",
        claims={"team": "core", "level": 3, "on": True, "list": ["x,y", 1], "map": {"k": "v"}},
    )

    assert dict(identity_headers(principal, options, bearer="tok")) == {
        b"X-Auth-Request-User": b"alice",
        b"X-Auth-Request-Email": b"zo%C3%AB@example.com",
        b"X-Auth-Request-Groups": b"admins,a%2Cb,100%25",
        b"X-Auth-Request-Preferred-Username": b"Al",
        b"X-Team": b"core",
        b"X-Level": b"3",
        b"X-On": b"true",
        b"X-List": b"x%2Cy,1",
        b"X-Map": b'{"k":"v"}',
        b"Authorization": b"Bearer tok",
    }


@pytest.mark.parametrize("text", ["a\nb", "a\r", "\x00", "tab\t", "\x7f", "\x85"])
def test_r31_control_bytes_refuse(text):
    """No header can carry them, and dropping them would make two people one."""
    with pytest.raises(GatewayError, match="claim_control_byte"):
        identity_headers(who(user=text), IdentityOptions())
    with pytest.raises(GatewayError, match="claim_control_byte"):
        identity_headers(who(groups=("ok", text)), IdentityOptions())


@pytest.mark.parametrize(
    ("text", "value"),
    [(" a", b"%20a"), ("a  ", b"a%20%20"), (" a b ", b"%20a b%20"), ("  ", b"%20%20")],
)
def test_r31_spaces_at_the_edges_are_written_out(text, value):
    """A reader of headers takes them away, and one name would become another; those inside stay as they are."""
    assert dict(identity_headers(who(user=text), IdentityOptions()))[b"X-Auth-Request-User"] == value


@given(PRINTABLE, st.lists(PRINTABLE, min_size=1, max_size=5))
def test_r31_every_value_has_one_reading(user, groups):
    """Decoding gives back exactly what was encoded, edge spaces and separators included."""
    headers = dict(identity_headers(who(user=user, groups=tuple(groups)), IdentityOptions()))

    value = headers[b"X-Auth-Request-User"]
    assert all(0x20 <= byte <= 0x7E for byte in value)
    assert value == value.strip(b" ")
    assert unquote(value.decode()) == user
    members = headers[b"X-Auth-Request-Groups"].decode().split(",")
    assert [unquote(member) for member in members] == groups
