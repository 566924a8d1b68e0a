"""What keys say about the proxies that ask: each from networks of its own, believed by address and by secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app.options import callers

ONE_DEADLINE = {"session.idle": "12h", "trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}
SECRET = "0123456789abcdef0123456789abcdef"


def asked(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**ONE_DEADLINE, "forward_auth": {"callers": list(entries), **more}}


NGINX, TRAEFIK = {"caller": "nginx", "from": ["10.1.0.0/16"]}, {"caller": "traefik", "from": ["10.2.0.0/16"]}


def test_several_callers_at_once_each_with_its_hosts(examined) -> None:
    """Each keeps its own networks, hosts, answer and secret; a redirect only where the caller hands one on."""
    hosts = {"hosts": ["b.example.com"]}
    examination = examined(asked({**NGINX, "secret": SECRET}, {**TRAEFIK, **hosts}))
    assert not [each for each in examination.findings if each.key.startswith("forward_auth")]
    nginx, traefik = callers(examination.settings)
    assert [(str(each.networks[0]), each.login, each.secret) for each in (nginx, traefik)] == [
        ("10.1.0.0/16", 401, SECRET.encode()),
        ("10.2.0.0/16", 302, b""),
    ]
    assert "b.example.com" in traefik.rules.authorities
    assert "b.example.com" not in nginx.rules.authorities


@pytest.mark.parametrize("short", [{}, {"caller": "caddy"}, {"from": ["10.0.0.7"], "secret": SECRET}])
def test_the_short_form_is_a_list_of_one(examined, short: dict[str, Any]) -> None:
    """Word for word, `nginx` being what may be left out."""
    whole = {"caller": "nginx", **short}
    one = callers(examined({**ONE_DEADLINE, "forward_auth": short}).settings)
    assert len(one) == 1
    assert one == callers(examined(asked(whole)).settings)


@pytest.mark.parametrize(
    "short",
    [
        {"caller": "nginx"},
        {"from": ["10.3.0.0/16"]},
        {"login": 401},
        {"hosts": ["b.example.com"]},
        {"secret": SECRET},
        {"renews_cookies": True},
    ],
)
def test_the_short_form_beside_the_list_is_refused(found, short: dict[str, Any]) -> None:
    """Nobody could tell whether it is one more."""
    (name,) = short
    assert any(
        line.startswith(f"forward_auth.{name}: stands beside `callers`") for line in found(asked(NGINX, TRAEFIK, **short))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["10.1.0.0/16"], ["10.1.2.0/24"]), (["10.1.2.0/24"], ["10.1.0.0/16"]), (["10.1.0.0/16"], ["10.1.0.0/16"]),
        (["fd00::/16", "10.1.0.1"], ["10.2.0.0/16", "10.1.0.1"]), ([], ["10.2.0.0/16"]), (["fd00:1::/32"], []),
    ],
)  # fmt: skip
def test_r07_networks_that_overlap_are_refused_by_both_names(found, one: list[str], other: list[str]) -> None:
    """Without `from` it is every trusted network, so that one overlaps too."""
    lines = found(asked({"caller": "nginx", "from": one}, {"caller": "traefik", "from": other}))
    (line,) = [line for line in lines if "overlaps" in line]
    assert line.startswith("forward_auth.callers[1]")
    assert "of traefik" in line
    assert "of nginx" in line
    assert "give each a `from` of its own" in line


def test_networks_of_two_families_do_not_overlap(found) -> None:
    """Nor do neighbours; and two of one kind may be there."""
    lines = found(asked(NGINX, {**NGINX, "from": ["fd00::/8"]}, {**NGINX, "from": ["10.2.0.0/16"]}))
    assert not [line for line in lines if line.startswith("forward_auth")]


def test_r07_a_caller_outside_the_trusted_networks_is_refused(found) -> None:
    """One list says whose word about clients counts."""
    lines = found(asked({"caller": "caddy", "from": ["192.168.0.0/16"]}, NGINX))
    assert any(
        line.startswith("forward_auth.callers[0].from: 192.168.0.0/16 is not within") for line in lines
    )


def test_what_holds_for_one_caller_holds_for_each_of_several(found) -> None:
    """nginx gets no redirect, whichever of them it is."""
    lines = found(asked(TRAEFIK, {**NGINX, "login": 302}))
    assert any(line.startswith("forward_auth.callers[1].login: nginx takes a 302") for line in lines)


@pytest.mark.parametrize(("secret", "what"), [("short", "less than 16"), ("ä" * 32, "no proxy"), (f" {SECRET}", "no proxy")])  # fmt: skip
def test_a_secret_that_is_none_is_refused(found, house: Path, secret: str, what: str) -> None:
    """In the file or in the configuration: too short, or changed on its way in a header."""
    (house / "caller-secret").write_text(f"{secret}\n")
    (house / "caller-secret").chmod(0o600)
    for key, written in (("secret", secret), ("secret_file", "caller-secret")):
        lines = found(asked({**NGINX, key: written}))
        assert any(line.startswith(f"forward_auth.callers[0].{key}: has") and what in line for line in lines)
        assert not any(secret in line for line in lines)


IDLE = {**ONE_DEADLINE, "session.idle": "30m"}


def test_an_idle_deadline_needs_callers_that_renew_cookies(found) -> None:
    """All of them: behind the others everybody would be signed out after it, active or not."""
    renewing = {**TRAEFIK, "renews_cookies": True}
    assert not [
        line for line in found({**IDLE, "forward_auth": {"callers": [renewing]}}) if "forward_auth" in line
    ]
    for callers_ in ([TRAEFIK], [renewing, NGINX]):
        assert any(
            "signed out after session.idle" in line
            for line in found({**IDLE, "forward_auth": {"callers": callers_}})
        )


@pytest.mark.parametrize("caller", ["nginx", "caddy", "envoy", "haproxy", "apisix", "nginx-gateway-fabric"])
def test_a_caller_that_cannot_renew_cookies_is_not_said_to(found, caller: str) -> None:
    """The key is a promise, and who makes it in vain signs everybody out."""
    entry = {**NGINX, "caller": caller, "renews_cookies": True}
    assert any(line.startswith("forward_auth.callers[0].renews_cookies") for line in found(asked(entry)))
