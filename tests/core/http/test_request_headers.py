"""The request head towards upstreams: provenance, hop-by-hop removal, cookies (rules R17, R32; peers' CVE classes)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.foreign_identity import one_spelling
from gateway.core.http.request_headers import RequestRules, upstream_request_head, wants_websocket
from gateway.core.session.identity_headers import IdentityOptions

RULES = RequestRules(IdentityOptions(claims=(("X-Team", "team"),)).own_names)
IDENTITY = ((b"X-Auth-Request-User", b"alice"), (b"X-Team", b"core"))
FORWARDED = [
    (b"X-Forwarded-For", b"192.0.2.7"),
    (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-Host", b"app.test"),
]
TOKEN = st.text("abcXYZ019-_!#$%&'*+.^`|~", min_size=1, max_size=12).map(str.encode)
VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
).map(lambda text: text.strip().encode("latin-1"))


def head(*pairs, rules=RULES, identity=IDENTITY, **options):
    """Request line and headers of what is sent."""
    raw = upstream_request_head(
        rules, b"GET", b"/x?y", pairs, client="192.0.2.7", scheme="https", host=b"app.test", identity=identity, **options
    )  # fmt: skip
    assert raw.endswith(b"\r\n\r\n")
    assert b"\n\r\n" not in raw[:-3]
    first, *lines = raw[:-4].split(b"\r\n")
    return first, [tuple(line.split(b": ", 1)) for line in lines]


def passed(*pairs, **options):
    """What is left of the client's headers."""
    _, fields = head((b"Host", b"app.test"), *pairs, **options)
    assert fields[0] == (b"Host", b"app.test")
    return [pair for pair in fields[1:] if pair not in (*FORWARDED, *options.get("identity", IDENTITY))]


def test_order_and_spelling_are_kept():
    """What passes passes byte for byte; forwarded headers and identity come last."""
    pairs = [(b"host", b"app.test"), (b"aCCept", b"a, b ;q=1"), (b"X-Twice", b"1"), (b"X-Twice", b"\xe9\x80")]

    first, fields = head(*pairs)

    assert first == b"GET /x?y HTTP/1.1"
    assert fields == [*pairs, *FORWARDED, *IDENTITY]


def test_host_is_supplied_for_http10():
    """A client that sent none gets the host that was decided on."""
    _, fields = head((b"Accept", b"*/*"))

    assert (b"Host", b"app.test") in fields


@pytest.mark.parametrize(
    "name",
    [
        b"X-Auth-Request-User", b"x-auth-request-user", b"X_AUTH_REQUEST_USER", b"X-Auth_Request-Email",
        b"X-Auth-Request-Anything", b"X-Team", b"x-team", b"X_Team", b"X-Forwarded-For", b"X-Forwarded-Prefix",
        b"X_Forwarded_User", b"X-Forwarded-Port", b"Forwarded", b"X-Real-IP", b"x_real_ip", b"X-Original-URL",
        b"X-Original-Method", b"X-Rewrite-URL", b"Proxy", b"Content_Length", b"Transfer_Encoding", b"Content.Length",
        b"X.Auth.Request.User", b"X-Auth.Request_User", b"x.team", b"X+Auth+Request+User", b"X!Forwarded~Host",
        b"X_HTTP_Method_Override", b"Keep_Alive", b"X-Real.IP",
    ],
)  # fmt: skip
def test_names_that_only_the_gateway_may_set_are_stripped(name):
    """Every spelling of an identity or forwarding header is the gateway's alone, also when it sets none itself."""
    assert passed((name, b"mallory")) == []
    assert passed((name, b"mallory"), identity=()) == []


@pytest.mark.parametrize(
    "name",
    [
        b"Remote-User", b"REMOTE_USER", b"Remote.Email", b"X-WEBAUTH-USER", b"X_WEBAUTH_ROLE", b"X-Amzn-Oidc-Identity",
        b"x-amzn-oidc-data", b"X-MS-CLIENT-PRINCIPAL-NAME", b"X-Goog-Authenticated-User-Email",
        b"X-Goog-IAP-JWT-Assertion", b"Cf-Access-Authenticated-User-Email", b"Cf-Access-Jwt-Assertion", b"X-Remote-User",
        b"X-Remote-Extra-Scopes", b"X-Pomerium-Claim-Email", b"X-authentik-username", b"X-Vouch-User", b"OIDC_CLAIM_sub",
        b"X-Consumer-Username", b"Tailscale-User-Login", b"SM_USER", b"iv-user", b"Client-Cert", b"SSL_CLIENT_S_DN",
        b"X-Forwarded-User", b"X-Forwarded-Email", b"X-Forwarded-Groups", b"X-Forwarded-Client-Cert",
    ],
)  # fmt: skip
def test_identity_headers_of_other_proxies_never_pass(name):
    """An application may still believe them, from the time when such a proxy stood in front of it."""
    assert passed((name, b"admin")) == []


def test_an_operator_adds_headers_that_no_client_may_send():
    """By their name, or by how they begin; in every spelling."""
    rules = RequestRules(IdentityOptions(reserved=("X-Sso-*", "Company_User")).own_names)

    for name in (b"X-Sso-Name", b"x_sso_name", b"X.Sso.", b"Company-User", b"company_user"):
        assert passed((name, b"admin"), rules=rules) == []
    for name in (b"X-Sso", b"Company-User-Agent"):
        assert passed((name, b"1"), rules=rules) == [(name, b"1")]


@pytest.mark.parametrize("name", [b"api_key", b"access_token", b"Any_Name", b"_", b"X.Plain", b"sec_ch_ua"])
def test_names_with_an_underscore_pass_unless_they_collide(name):
    """Applications have headers such as `api_key`; who wants none of them says so, and the log tells."""
    told: set[bytes] = set()
    strict = RequestRules(underscores=False, dropped=told.add)

    assert passed((name, b"1")) == [(name, b"1")]
    assert passed((name, b"1"), rules=strict) == ([] if b"_" in name else [(name, b"1")])
    assert told == ({name.lower()} if b"_" in name else set())


def test_a_drop_is_told_where_somebody_may_wonder():
    """What every proxy in front sends is not worth a line."""
    told: set[bytes] = set()
    rules = RequestRules(dropped=told.add)
    passed((b"X-Forwarded-For", b"1"), (b"X_Forwarded_For", b"1"), (b"Remote-User", b"x"), rules=rules)

    assert told == {b"x_forwarded_for", b"remote-user"}


def test_authorization_is_stripped_only_where_the_gateway_sets_it():
    """An application may use Authorization itself, unless the gateway does."""
    rules = RequestRules(IdentityOptions(authorization=True).own_names)

    assert passed((b"Authorization", b"Bearer x")) == [(b"Authorization", b"Bearer x")]
    assert passed((b"authorization", b"Bearer x"), rules=rules) == []


@pytest.mark.parametrize("name", [b"X-HTTP-Method-Override", b"x-http-method", b"X-Method-Override"])
def test_r32_method_overrides_need_permission(name):
    """What is decided as POST is not executed as DELETE, unless the route says so."""
    assert passed((name, b"DELETE")) == []
    assert passed((name, b"DELETE"), rules=RequestRules(allow_method_override=True)) == [(name, b"DELETE")]


def test_hop_by_hop_headers_end_here():
    """Connection, whatever it names in any of its lines, and the fixed list; ordinary options name nothing."""
    assert (
        passed(
            (b"Connection", b"close, X-One"), (b"X-One", b"1"), (b"x-one", b"1"), (b"X-Two", b"2"),
            (b"CONNECTION", b"x-two ,, TE"), (b"Keep-Alive", b"5"), (b"TE", b"trailers"), (b"Trailer", b"x"),
            (b"Upgrade", b"h2c"), (b"Proxy-Authorization", b"x"), (b"Proxy-Connection", b"x"), (b"Expect", b"100-continue"),
        )
        == []
    )  # fmt: skip
    assert passed((b"Connection", b"keep-alive"), (b"Keep", b"1")) == [(b"Keep", b"1")]


def test_connection_cannot_remove_what_was_decided_on():
    """Nominating Host, a length or an identity header takes nothing from the upstream (CVE-2024-45410)."""
    _, fields = head(
        (b"Host", b"app.test"), (b"Content-Length", b"3"),
        (b"Connection", b"Host, Content-Length, X-Auth-Request-User, X-Team, X-Forwarded-For"),
    )  # fmt: skip

    assert fields == [(b"Host", b"app.test"), (b"Content-Length", b"3"), *FORWARDED, *IDENTITY]


def test_framing_is_stated_anew():
    """Chunked is said once; other transfer codings are refused."""
    assert passed((b"transfer-encoding", b"Chunked")) == [(b"Transfer-Encoding", b"chunked")]
    with pytest.raises(DownstreamError, match="ambiguous_header"):
        head((b"Transfer-Encoding", b"gzip, chunked"))


def test_r17_own_cookies_are_stripped_to_the_byte():
    """All others stay as they came; a header with nothing left is left out."""
    assert passed((b"Cookie", b"__Host-session=x")) == []
    assert passed((b"Cookie", b"a=1;__Host-login_0a1b2c3d=x;  b=\xff")) == [(b"Cookie", b"a=1;  b=\xff")]
    assert passed((b"cookie", b"__host-session=1; __Host-session2=x")) == [
        (b"cookie", b"__host-session=1; __Host-session2=x")
    ]


def test_an_upgrade_to_websocket_is_put_back():
    """Hop-by-hop removal takes the upgrade; only a WebSocket gets it back."""
    pairs = ((b"Connection", b"Upgrade, X-Gone"), (b"Upgrade", b"websocket"), (b"X-Gone", b"1"))

    assert passed(*pairs, websocket=True) == [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    assert passed(*pairs) == []


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (((b"Upgrade", b"WebSocket"), (b"Connection", b"keep-alive, UPGRADE")), True),
        (((b"Upgrade", b"websocket"),), False),
        (((b"Upgrade", b"websocket, h2c"), (b"Connection", b"Upgrade")), False),
        (((b"Upgrade", b"websocket"), (b"Upgrade", b"h2c"), (b"Connection", b"Upgrade")), False),
        (((b"Upgrade", b"websocket"), (b"Connection", b"not-upgrade")), False),
    ],
)
def test_what_asks_for_a_websocket(pairs, expected):
    """Exactly one Upgrade, exactly to websocket, announced in Connection."""
    assert wants_websocket(pairs) is expected


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=12), st.lists(TOKEN, max_size=3))
def test_whatever_is_sent_provenance_holds(pairs, nominated):
    """No client header with a reserved name, however spelled, passes, identity is there exactly once, and each field that
    passes is one of the client's.
    """
    _, fields = head((b"Host", b"app.test"), *pairs, (b"Connection", b", ".join(nominated)))

    own = len(FORWARDED) + len(IDENTITY)
    assert fields[-own:] == [*FORWARDED, *IDENTITY]
    for name, value in fields[1:-own]:
        assert (name, value) in pairs
        assert one_spelling(name.lower()) not in {
            b"x-team",
            b"x-auth-request-user",
            b"proxy",
            b"content-length",
        }
        assert name.lower() not in {each.lower() for each in nominated}
