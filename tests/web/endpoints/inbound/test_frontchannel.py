"""Whom a front-channel logout names: anybody may ask for anything. What it does is tried over real sockets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.session.revocation_keys import isid_key
from gateway.web.endpoints.inbound.frontchannel import Frontchannel

ISSUER = "https://idp.example/pool"


class Asked:
    """As much of a request's facts as is looked at."""

    def __init__(self, query: str | None) -> None:
        self.query = query


def named(query: str | None) -> str | None:
    nothing: Any = None
    endpoint = Frontchannel(issuer=ISSUER, sessions=nothing, sign_ins=nothing, inbound=nothing)
    return endpoint._named(Asked(query))  # type: ignore[arg-type]  # only its query is read


@pytest.mark.parametrize("sid", ["abc", "a|b", "ä", "a+b %&=", "x" * 255])
def test_a_session_of_our_provider_is_named(sid: str) -> None:
    """By both parameters, in any order, beside others."""
    assert named(urlencode({"sid": sid, "x": "1", "iss": ISSUER})) == isid_key(ISSUER, sid)


@pytest.mark.parametrize(
    "query",
    [
        *(None, "", "sid=a", urlencode({"iss": ISSUER}), urlencode({"iss": ISSUER, "sid": ""})),
        *(urlencode({"iss": f"{ISSUER}/", "sid": "a"}), urlencode({"iss": ISSUER.upper(), "sid": "a"})),
        *(urlencode({"iss": ISSUER, "sid": "a" * 256}), urlencode({"iss": ISSUER, "sid": "a\n"})),
        urlencode({"iss": ISSUER, "sid": "a"}) + "&sid=b",
        "&".join(f"a{number}=1" for number in range(30)),
    ],
)
def test_everything_else_names_nobody(query: str | None) -> None:
    """Another issuer, a parameter twice, a name that is none."""
    assert named(query) is None


@settings(deadline=None)
@given(
    query=st.text(max_size=200)
    | st.lists(
        st.sampled_from(["iss=", "sid=", ISSUER, "&", "%", "%00", "+", "=", "é", "\0"]), max_size=12
    ).map("".join)
)
def test_any_query_names_a_session_of_our_provider_or_nobody(query: str) -> None:
    """And never raises: an error would be another answer."""
    found = named(query)
    assert found is None or found.startswith(isid_key(ISSUER, ""))
