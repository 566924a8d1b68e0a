"""The environment over the file."""

from __future__ import annotations

import pytest

from gateway.config.environment import names
from gateway.config.fields import keys


def test_every_key_has_a_variable():
    """All but the parts of list items, which come in one JSON value."""
    assert len(names()) == len([key for key in keys() if "[]" not in key.path])
    assert names()["GATEWAY_PROVIDER__CLIENT_SECRET_FILE"].dotted == "provider.client_secret_file"


def test_a_variable_wins_over_the_file(examined):
    """Scalars are written plainly, in any section."""
    settings = examined(None, GATEWAY_SESSION__IDLE="10m", GATEWAY_LOG__ACCESS="false").settings

    assert settings.session.idle == 600
    assert settings.log.access is False


def test_lists_and_mappings_are_one_json_value(examined):
    """Numbers and switches inside read as they do in the file."""
    settings = examined(
        None,
        GATEWAY_UPSTREAMS='[{"path": "/", "url": "http://127.0.0.1:9"}]',
        GATEWAY_LOGOUT__CHAIN='["cognito", {"okta_signout": "https://x.okta.com"}]',
        GATEWAY_LOGOUT__TARGETS='{"shop": "/shop"}',
    ).settings

    assert str(settings.upstreams[0].url) == "http://127.0.0.1:9"
    assert [hop.kind for hop in settings.logout.chain] == ["cognito", "okta_signout"]
    assert settings.logout.targets == {"shop": "/shop"}


def test_an_optional_section_is_opened_by_a_variable(examined):
    """forward_auth needs no word in the file."""
    changes = {"trusted_proxies": ["127.0.0.1"], "session.idle": "12h"}

    assert examined(changes, GATEWAY_FORWARD_AUTH__CALLER="caddy").settings.forward_auth.caller == "caddy"


def test_an_empty_variable_is_absent(examined):
    """Container platforms set empty variables for values that nobody gave."""
    assert examined(None, GATEWAY_SESSION__IDLE="", GATEWAY_HOSTS="").settings.session.idle == 1800


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("GATEWAY_LISTN", "did you mean GATEWAY_LISTEN?"),
        ("GATEWAY_SESSION_IDLE", "did you mean GATEWAY_SESSION__IDLE?"),
        ("GATEWAY_TLS", "set its parts, such as GATEWAY_TLS__CERT_FILE"),
        ("GATEWAY_ADMIN_SERVICE_HOST", "remove it; if Kubernetes set it for a Service"),
        ("GATEWAY_ADMIN_PORT_9090_TCP_ADDR", "remove it; if Kubernetes set it for a Service"),
        ("GATEWAY_XYZZY", "remove it; docs/configuration.md lists every name"),
        ("GATEWAY_UPSTREAMS__0__URL", ""),
    ],
)
def test_an_unknown_variable_is_a_finding(examined, name, fix):
    """A misspelt variable would otherwise leave a default in force, unseen."""
    (finding,) = [finding for finding in examined(None, **{name: "x"}).findings if finding.failing]

    assert str(finding).startswith(f"env {name}: names no key; {fix}")


def test_service_links_and_other_programs_variables_are_passed_over(examined):
    """Kubernetes sets these beside a Service named gateway; what does not begin with GATEWAY_ is not ours."""
    links = {
        "GATEWAY_SERVICE_HOST": "10.0.0.1",
        "GATEWAY_SERVICE_PORT_HTTP": "80",
        "GATEWAY_PORT": "tcp://10.0.0.1:80",
        "GATEWAY_PORT_80_TCP_ADDR": "10.0.0.1",
        "GATEWAYS": "x",
    }

    assert examined(None, **links).settings is not None


def test_no_key_hides_behind_a_service_link():
    """Whatever we name a key, Kubernetes must not be able to set it or hide it."""
    assert not [name for name in names() if name.startswith(("GATEWAY_SERVICE_", "GATEWAY_PORT"))]


@pytest.mark.parametrize(
    ("text", "what"), [("a,b", "is not JSON (at character 1)"), ('{"a": "/x", "a": "/y"}', "has a key twice")]
)
def test_what_is_not_json_is_a_finding(examined, text, what):
    """Comma lists are a habit of other programs."""
    findings = examined(None, GATEWAY_LOGOUT__TARGETS=text).findings

    assert any(str(finding).startswith(f"env GATEWAY_LOGOUT__TARGETS: {what}") for finding in findings)


def test_a_section_that_is_none_in_the_file_is_not_papered_over(found):
    """The environment adds to sections; a section that is a word stays a finding."""
    assert any(
        "provider: is not a section" in line
        for line in found({"provider": "x"}, GATEWAY_PROVIDER__KIND="okta")
    )


@pytest.mark.parametrize(
    ("changes", "environ", "proxy", "past"),
    [
        ({}, {"HTTPS_PROXY": "http://a:1"}, "http://a:1", ()),
        ({}, {"https_proxy": "b:2", "HTTPS_PROXY": "http://a:1"}, "http://b:2", ()),
        (
            {},
            {"HTTPS_PROXY": "a", "NO_PROXY": "x.test, 10.0.0.0/8 *.y,"},
            "http://a",
            ("x.test", "10.0.0.0/8", "*.y"),
        ),
        ({"provider.proxy": "http://c:3"}, {"HTTPS_PROXY": "a", "no_proxy": "x"}, "http://c:3", ("x",)),
        ({"provider.no_proxy": ["z"]}, {"HTTPS_PROXY": "a", "no_proxy": "x"}, "http://a", ("z",)),
        ({}, {"GATEWAY_PROVIDER__PROXY": "http://d:4", "HTTPS_PROXY": "a"}, "http://d:4", ()),
        ({"provider.proxy": "none"}, {"HTTPS_PROXY": "a"}, None, ()),
        ({}, {"HTTP_PROXY": "a", "ALL_PROXY": "socks5://b", "HTTPS_PROXY": ""}, None, ()),
    ],
)
def test_the_proxy_of_all_programs_is_the_providers_unless_a_key_says_more(
    examined, changes, environ, proxy, past
):
    """HTTPS_PROXY and NO_PROXY, in small letters first; a key wins over both, and `none` is one."""
    provider = examined(changes, **environ).settings.provider
    assert (provider.proxy and str(provider.proxy), provider.no_proxy) == (proxy, past)


def test_the_proxy_of_the_process_counts_where_only_keys_are_given(examined, monkeypatch):
    """Whoever reads a configuration with an environment of its own is in the same network."""
    monkeypatch.setenv("HTTPS_PROXY", "http://a:1")
    assert str(examined().settings.provider.proxy) == "http://a:1"
    assert str(examined(https_proxy="b:2").settings.provider.proxy) == "http://b:2"


def test_a_proxy_that_cannot_be_used_is_found_where_it_was_said(examined):
    """Nobody is let past it in silence."""
    (finding,) = [each for each in examined(HTTPS_PROXY="socks5://me:hush@proxy").findings if each.failing]
    assert (finding.place.env, finding.key) == ("HTTPS_PROXY", "provider.proxy")
    assert "hush" not in str(finding)


def test_bad_values_name_their_variable(examined):
    """A finding points at where the value came from."""
    findings = examined(None, GATEWAY_HOSTS='["a", "b c"]').findings

    assert any(str(finding).startswith("env GATEWAY_HOSTS: `b c` is not a host name") for finding in findings)
