"""What keys say about each other: network, routes, forward-auth."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import Severity
from gateway.config.fields import keys

LOCAL = {
    "public_url": "http://app.localhost:8080", "provider.issuer": "http://cognito-idp.localhost:1/x", "provider.domain": "http://a.localhost:1",
    "logout": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"allowed_origins": ["http://x.example.com"]}, "allowed_origins[0]", "is not https"),
        ({"tls.cert_file": "session-key"}, "tls.cert_file", "needs `tls.key_file` beside it"),
        ({"tls.key_file": "session-key"}, "tls.key_file", "needs `tls.cert_file` beside it"),
        ({"listen": "0.0.0.0:9090"}, "admin.listen", "port 9090 is already that of `listen`"),
        ({"upstreams": []}, "upstreams", "is empty"),
        (
            {"upstreams": [{"path": "/", "url": "http://a"}, {"path": "/", "url": "http://b"}]},
            "upstreams[1].path",
            "already that of upstreams[0]",
        ),
        (
            {"upstreams": [{"path": "/a/", "url": "http://a", "sign_out_on": ["/b"]}]},
            "upstreams[0].sign_out_on[0]",
            "does not lie under /a/",
        ),
        *(
            (
                {"upstreams": [{"path": "/a/", "url": "file:///srv", key: value}]},
                f"upstreams[0].{key}",
                "means nothing for files",
            )
            for key, value in (("strip_prefix", True), ("host", "own"))
        ),
        ({"upstreams": [{"path": "/oauth2/x", "url": "http://a"}]}, "upstreams[0].path", "is under /oauth2"),
        ({"upstreams": [{"path": "/logout/", "url": "http://a"}]}, "upstreams[0].path", "is under /logout"),
        ({"limits": {"header": "4KiB"}}, "limits.cookies", "may fill `limits.header`"),
        ({"limits": {"cookies": 2499}}, "limits.cookies", "leaves no room for a session"),
        (
            {"public_url": "http://app.localhost", "tls": {"cert_file": "a.pem", "key_file": "b.pem"}},
            "public_url",
            "`listen` speaks TLS",
        ),
    ],
)
def test_contradictions_are_findings(examined, changes, key, what):
    """Each keeps the gateway from starting, with its place and a fix."""
    examination = examined(changes)

    assert any(
        finding.failing and finding.key == key and what in finding.what for finding in examination.findings
    )
    assert examination.settings is None


def test_an_upstream_for_any_case_takes_its_sign_out_in_any(examined):
    """As it takes the request."""
    upstream = {"path": "/App/", "url": "http://a", "paths": "insensitive", "sign_out_on": ["/app/out"]}
    assert not [one for one in examined({"upstreams": [upstream]}).findings if "sign_out_on" in one.key]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"public_url": "http://app.localhost:8080"}, "public_url"),
        ({"allowed_origins": ["https://app.example.com"]}, "allowed_origins[0]"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, "trusted_proxies[0]"),
        ({"upstreams": [{"path": "/api/", "url": "http://a"}]}, "upstreams"),
        (
            {"upstreams": [{"path": path, "url": "http://a"} for path in ("/", "/Admin/", "/admin")]},
            "upstreams[1].path",
        ),
        ({"state_loss": "accept"}, "state_loss"),
        (
            {"provider.identity_provider": "Okta", "provider.auth_time_proves": True},
            "provider.auth_time_proves",
        ),
    ],
)
def test_dangers_are_warnings(examined, changes, key):
    """They are said, and the gateway starts."""
    examination = examined(changes)

    assert any(
        finding.severity is Severity.WARNING and finding.key == key for finding in examination.findings
    )
    assert examination.settings is not None


def test_the_proxy_protocol_needs_a_trusted_proxy(found):
    """Else every connection would be closed, as nobody may say who connects."""
    lines = found({"proxy_protocol": True})
    assert any(line.startswith("proxy_protocol: no proxy is trusted") for line in lines)
    assert not any(
        "proxy_protocol" in line for line in found({"proxy_protocol": True, "trusted_proxies": ["10.0.0.7"]})
    )


def test_r07_forward_auth_needs_a_trusted_proxy(found):
    """Every question of a proxy that is not trusted would be answered 403."""
    lines = found({"forward_auth": {}, "session.idle": "12h"})

    assert any(
        line.startswith("forward_auth: no proxy is trusted") and "`trusted_proxies`" in line for line in lines
    )


def test_r07_nginx_is_answered_401(found):
    """auth_request takes nothing but 2xx, 401 and 403."""
    lines = found({"forward_auth": {"login": 302}, "session.idle": "12h", "trusted_proxies": ["10.0.0.7"]})

    assert any(line.startswith("forward_auth.login: nginx takes a 302") for line in lines)


@pytest.mark.parametrize("caller", ["traefik", "caddy", "envoy", "haproxy", "apisix"])
def test_callers_that_pass_a_redirect_on_may_be_answered_302(found, caller):
    """And 401, if somebody likes; what holds for nginx holds for them."""
    asked = {"forward_auth": {"caller": caller}, "session.idle": "12h", "trusted_proxies": ["10.0.0.7"]}
    for login in (302, 401):
        lines = found({**asked, "forward_auth": {"caller": caller, "login": login}})
        assert not any(line.startswith("forward_auth") for line in lines)
    assert any(line.startswith("forward_auth: no proxy") for line in found({**asked, "trusted_proxies": []}))


def test_r10_tokens_are_not_told_under_forward_auth(found):
    """Nothing refreshes them there, so the caller would hand on expired ones."""
    changes = {"forward_auth": {}, "trusted_proxies": ["10.0.0.7"], "session.idle": "12h"}
    assert not any("headers.authorization" in line for line in found(changes))
    lines = found({**changes, "headers": {"authorization": True}})
    assert any(line.startswith("headers.authorization: behind a proxy in front") for line in lines)


def test_r10_an_idle_deadline_in_the_cookie_is_refused_under_forward_auth(examined):
    """Forward-auth never renews the cookie: active users would be signed out; the fix names a way that works."""
    changes = {"forward_auth": {}, "trusted_proxies": ["10.0.0.7"]}

    (finding,) = [finding for finding in examined(changes).findings if finding.failing]

    assert finding.key == "forward_auth"
    assert "signed out after session.idle, active or not" in finding.what
    assert "set session.idle to the same as session.absolute" in finding.fix
    assert "`session.store: ticket`" in finding.fix
    assert examined({**changes, "session.idle": "8h", "session.absolute": "8h"}).settings is not None
    in_redis = {"session.store": "ticket", "state": "rediss://redis.example.com/0"}
    assert examined({**changes, **in_redis}).settings is not None


def test_r24_check_says_when_changes_of_groups_count(examined):
    """A note where users come from another provider through Cognito: a refresh does not show what changed there."""
    federated = {"provider.identity_provider": "Okta"}
    (note,) = [one for one in examined(federated).findings if one.key == "provider.identity_provider"]

    assert note.severity is Severity.NOTE
    assert "from the next sign-in on" in note.what
    assert "session.absolute" in note.fix
    assert not any(one.key == "provider.identity_provider" for one in examined({}).findings)


def test_r16_check_says_what_counts_as_activity(examined):
    """A note, always: polling holds a session open unless it is listed."""
    unlisted: tuple[dict[str, Any], ...] = ({}, {"session.passive": []})
    for changes in unlisted:
        (note,) = [finding for finding in examined(changes).findings if finding.key == "session.activity"]

        assert note.severity is Severity.NOTE
        assert "keeps a session alive" in note.what
        assert "session.passive" in note.fix


def test_r16_by_input_the_script_has_to_be_loaded(examined):
    """The note says what counts then, and where the script is."""
    examination = examined({"session.activity": "input", "prefix": "/auth"})

    (note,) = [finding for finding in examination.findings if finding.key == "session.activity"]
    assert note.severity is Severity.NOTE
    assert "input" in note.what
    assert "/auth/tab.js" in note.fix


@pytest.mark.parametrize(
    "nonsense", ["\u0007", "", [], ["\u0007"], [["x"]], {"x": ["\u0007"]}, [{"x": {"y": "z"}}]], ids=str
)
def test_no_nonsense_in_any_key_makes_the_check_fail(examined, nonsense):
    """Whatever stands at whatever key, the check ends, with findings rather than an exception."""
    for key in keys():
        if "[]" not in key.path:
            examination = examined({key.dotted: nonsense})

            assert (examination.settings is None) == any(finding.failing for finding in examination.findings)
            assert not any("\u0007" in str(finding) for finding in examination.findings)


def test_an_https_address_that_nobody_serves_is_noted(examined):
    """Neither here, nor by a proxy whose word counts; the http one of a trial needs neither."""
    changes = [{}, {"trusted_proxies": ["10.0.0.0/8"]}, {"tls": {"cert_file": "a", "key_file": "b"}}, LOCAL]
    said = [[one for one in examined(each).findings if "neither `tls` here" in one.what] for each in changes]
    assert [len(each) for each in said] == [1, 0, 0, 0]
    assert (said[0][0].key, said[0][0].severity) == ("public_url", Severity.NOTE)


def test_hosts_at_which_nobody_can_be_signed_in_are_said(examined):
    """The cookie is that of one host; another port of that has it too."""
    hosts = ["app.example.com", "app.example.com:8443", "other.example.com", "www.app.example.com:8443"]
    examination = examined({"hosts": hosts})
    assert examination.settings is not None, examination.findings
    found = [one for one in examination.findings if "nobody can be signed in at" in one.what]
    assert [one.key for one in found] == ["hosts[2]", "hosts[3]"]
    assert all(one.severity is Severity.WARNING for one in found)
