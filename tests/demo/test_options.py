"""Names, ports and registrations."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from gateway.demo.idp import start
from gateway.demo.options import DemoOptions, authority, port_of
from gateway.demo.switchboard import SwitchError
from tests.demo.browser import Browser
from tests.fakes.ports import on_free_ports


def test_defaults_are_the_documented_contract() -> None:
    """Hosts, ports and registered addresses of `gateway demo`."""
    options = DemoOptions()

    assert options.cognito == "http://cognito.localhost:8081"
    assert options.issuer == "http://cognito-idp.localhost:8081/eu-west-1_demo"
    assert options.okta == "http://okta.localhost:8082"
    assert options.pool == "eu-west-1_demo"
    assert options.federation == "saml"
    assert options.registered_callbacks == ("http://app.localhost:8080/oauth2/callback",)
    assert options.registered_sign_outs == ("http://app.localhost:8080/logout/done/cognito",)
    assert options.origins == ("http://app.localhost:8080",)


def test_further_addresses_are_registered_beside_the_applications() -> None:
    """Callback, sign-out and trusted origins can be added."""
    options = DemoOptions(callback_urls=("a",), sign_out_urls=("b",), trusted_origins=("c",))

    assert options.registered_callbacks[-1] == "a"
    assert options.registered_sign_outs[-1] == options.okta_sign_outs[-1] == "b"
    assert options.origins[-1] == "c"


@pytest.mark.parametrize(
    "wrong",
    [
        {"listen": "0.0.0.0"},
        {"listen": "192.0.2.1"},
        {"federation": "ldap"},
        {"okta": "ftp://okta.test"},
        {"okta": "http://okta.localhost:8082/"},
        {"okta": "http://cognito.localhost:8081"},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, str]) -> None:
    """Anything but loopback, an unknown federation, URLs that cannot work."""
    with pytest.raises(ValueError, match=r"\w"):
        DemoOptions(**wrong)  # type: ignore[arg-type]  # just what is wrong


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://a.test", "a.test", 80),
        ("https://a.test", "a.test", 443),
        ("https://a.test:443", "a.test", 443),
        ("http://a.test:443", "a.test:443", 443),
        ("https://a.test:8443/x", "a.test:8443", 8443),
    ],
)
def test_host_header_and_port_of_a_url(url: str, host: str, port: int) -> None:
    """The scheme's own port is not part of Host."""
    assert (authority(url), port_of(url)) == (host, port)


async def test_r29_everything_binds_loopback_only_and_closes() -> None:
    """Both listeners are on 127.0.0.1 and gone after close."""
    options = on_free_ports(DemoOptions())
    idp = await start(options, on_event=print)
    ports = [port_of(options.cognito), port_of(options.okta)]
    addresses = [address for runner in idp.runners for address in runner.addresses]

    assert addresses == [("127.0.0.1", port) for port in ports]
    await idp.close()
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_a_wrong_switch_or_a_taken_port_stops_the_start() -> None:
    """Neither leaves anything running."""
    options = on_free_ports(DemoOptions())
    with pytest.raises(SwitchError, match="there are: federation"):
        await start(replace(options, switches={"nonsense": 1}), on_event=print)
    with (
        socket.create_server(("127.0.0.1", port_of(options.okta))),
        pytest.raises(OSError, match="in use"),
    ):
        await start(options, on_event=print)
    idp = await start(options, on_event=print)
    await idp.close()


async def test_switches_given_at_the_start_are_what_reset_returns_to() -> None:
    """Start values beat the table's defaults, and federation is one of them."""
    options = on_free_ports(DemoOptions(federation="oidc", switches={"extra_groups": "7"}))
    idp = await start(options, on_event=print)
    idp.control.okta.set(extra_groups=1, federation="saml")
    idp.control.okta.reset()
    await idp.close()

    assert idp.switches.number("extra_groups") == 7
    assert idp.switches.word("federation") == "oidc"


async def test_browser_of_these_tests_keeps_same_site_rules() -> None:
    """The test browser withholds Lax cookies from a cross-site POST, so that SAML is tried as browsers do it."""
    browser = Browser.open()
    browser.cookies = {
        ("a.test", "lax"): ("1", "Lax"),
        ("a.test", "strict"): ("1", "Strict"),
        ("a.test", "none"): ("1", "None"),
    }
    await browser.close()

    assert browser._cookie_header("POST", "http://a.test/", "http://b.test/") == "none=1"
    assert browser._cookie_header("GET", "http://a.test/", "http://b.test/") == "lax=1; none=1"
    assert browser._cookie_header("GET", "http://a.test/", "") == "lax=1; strict=1; none=1"
