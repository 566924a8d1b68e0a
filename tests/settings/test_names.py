"""Hosts, paths, headers, networks, hops and targets."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oidc.providers.registry import HOPS
from gateway.settings import names
from gateway.settings.bad_value import BadValueError
from gateway.settings.names import ConfiguredHop


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (names.parse_host, "WWW.Example.com", "www.example.com"),
        (names.parse_host, "www.example.com:8443", "www.example.com:8443"),
        (names.parse_host, "[::1]:8080", "[::1]:8080"),
        (names.parse_host_name, "auth.pool.test", "auth.pool.test"),
        (names.parse_prefix, "/oauth2", "/oauth2"),
        (names.parse_prefix, "/my/auth", "/my/auth"),
        (names.parse_route_path, "/api/", "/api/"),
        (names.parse_route_path, "/größe/", "/größe/"),
        (names.parse_issuer, "https://org.okta.com/oauth2/default/", "https://org.okta.com/oauth2/default/"),
        (names.parse_network, "10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8")),
        (names.parse_network, "::1", ipaddress.ip_network("::1/128")),
        (names.parse_ip, "[::1]", "::1"),
        (names.parse_word, "cognito:groups", "cognito:groups"),
        (names.parse_scope, "openid", "openid"),
        (names.parse_claim_header, "X-Department", "X-Department"),
        (names.parse_cookie_name, "AWSELBAuthSessionCookie-0", "AWSELBAuthSessionCookie-0"),
        (names.parse_target_name, "shop-2", "shop-2"),
        (names.parse_target, "/goodbye?x=1", "/goodbye?x=1"),
        (names.parse_target, "https://www.example.com/", "https://www.example.com/"),
        (names.parse_site_data, "storage", "storage"),
        (names.parse_hop, "cognito", ConfiguredHop("cognito")),
        (names.parse_hop, "oidc", ConfiguredHop("oidc")),
        (names.parse_hop, {"oidc": "get"}, ConfiguredHop("oidc", "get")),
        (names.parse_hop, {"auth0": "federated"}, ConfiguredHop("auth0", "federated")),
        (
            names.parse_hop,
            {"url": "https://id.example.com/out?to={return_to}&c={client_id}"},
            ConfiguredHop("url", "https://id.example.com/out?to={return_to}&c={client_id}"),
        ),
        (
            names.parse_hop,
            {"okta_signout": "https://Org.okta.com/"},
            ConfiguredHop("okta_signout", "https://org.okta.com"),
        ),
    ],
)
def test_good_names(parse, text, value):
    """Each kind of name, in the form the rest of the gateway compares."""
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (names.parse_host, "https://www.example.com"),
        (names.parse_host, "www.example.com:0"),
        (names.parse_host, "*.example.com"),
        (names.parse_host_name, "auth.pool.test:443"),
        (names.parse_prefix, "/"),
        (names.parse_prefix, "/oauth2/"),
        (names.parse_prefix, "oauth2"),
        (names.parse_prefix, "/logout"),
        (names.parse_prefix, "/logged-out/x"),
        (names.parse_prefix, "/a/../b"),
        (names.parse_prefix, "/a//b"),
        (names.parse_prefix, "/a%2Fb"),
        (names.parse_route_path, "api/"),
        (names.parse_route_path, "/a//b"),
        (names.parse_route_path, "/a/./b"),
        (names.parse_route_path, "/a%20b"),
        (names.parse_route_path, "/a?b"),
        (names.parse_route_path, "/a\\b"),
        (names.parse_route_path, "/a\x00"),
        (names.parse_issuer, "https://org.okta.com?x=1"),
        (names.parse_issuer, "org.okta.com"),
        (names.parse_network, "10.0.0.1/8"),
        (names.parse_network, "proxy.example.com"),
        (names.parse_ip, "proxy"),
        (names.parse_word, " sub"),
        (names.parse_word, "a\nb"),
        (names.parse_scope, "openid email"),
        (names.parse_claim_header, "X_Department"),
        (names.parse_claim_header, "Cookie"),
        (names.parse_claim_header, "X-Auth-Request-User"),
        (names.parse_claim_header, "X-Forwarded-For"),
        (names.parse_claim_header, "Sec-Fetch-Site"),
        (names.parse_cookie_name, "a=b"),
        (names.parse_cookie_name, "*"),
        (names.parse_cookie_name, "__Host-session_1"),
        (names.parse_target_name, "A B"),
        (names.parse_target, "//evil.example"),
        (names.parse_target, "/\\evil.example"),
        (names.parse_target, "javascript:alert(1)"),
        (names.parse_target, "/a\r\nb"),
        (names.parse_site_data, "cookies"),
        (names.parse_site_data, "*"),
        (names.parse_site_data, "everything"),
        (names.parse_hop, "okta"),
        (names.parse_hop, "okta_signout"),
        (names.parse_hop, {"cognito": "https://x.example"}),
        (names.parse_hop, {"okta_signout": "https://x.example/path"}),
        (names.parse_hop, {"cognito": None, "oidc": None}),
        (names.parse_hop, {"oidc": "post"}),
        (names.parse_hop, {"oidc": ["get"]}),
        (names.parse_hop, {"auth0": "get"}),
        (names.parse_hop, {"google": "federated"}),
        (names.parse_hop, "url"),
        (names.parse_hop, {"url": "/logout"}),
        (names.parse_hop, {"url": "https://id.example.com/out?to={rd}"}),
        (names.parse_hop, {"url": "https://id.example.com/out?to={return_to"}),
        (names.parse_hop, {"url": "https://id.example.com/out?to={return_to!r}"}),
        (names.parse_hop, {"url": "https://{client_id}.example.com/out"}),
        (names.parse_hop, {"url": "https://id.example.com/out#{return_to}"}),
        (names.parse_hop, {"url": ["https://id.example.com/out"]}),
        (names.parse_hop, ["cognito"]),
    ],
)
def test_other_names_are_refused_with_a_fix(parse, text):
    """What two programs could read differently, or nobody can use, is refused."""
    with pytest.raises(BadValueError) as caught:
        parse(text)

    assert caught.value.what
    assert caught.value.fix


def test_a_network_with_host_bits_is_told_its_base():
    """10.0.0.1/8 most likely means 10.0.0.0/8."""
    with pytest.raises(BadValueError, match=r"write 10\.0\.0\.0/8"):
        names.parse_network("10.0.0.1/8")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from([*HOPS]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*HOPS]) | st.text(max_size=4), inner, max_size=2)
        ),
        max_leaves=4,
    )
    | st.builds(
        lambda rest: {"url": f"https://id.example.com/{rest}"},
        st.text(alphabet="{}/?#&=%abreturn_to", max_size=30),
    )
)
def test_whatever_stands_for_a_hop_is_one_or_is_refused(value):
    """Nothing but its own error, and what it takes prints as it would be written."""
    try:
        hop = names.parse_hop(value)
    except BadValueError:
        return
    assert hop.kind in HOPS
    assert hop.kind in str(hop)
