"""Several proxies at once: each is read in its own way, from its own networks, and believed with its secret (rule R7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.telemetry.seldom import Seldom
from tests.fakes.production_log import lines, production_log
from tests.web.endpoints.test_forward_auth import FETCH, HOST, NAVIGATION, SECRET, Lab, code, running


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running(tmp_path, forward_auth=SEVERAL, trusted="127.0.0.0/8") as made:
        yield made


SEVERAL = """
  callers:
    - {caller: nginx, from: [127.0.0.2/32], secret_file: caller-secret}
    - {caller: traefik, from: [127.0.0.3/32], hosts: [further.localhost]}
    - {caller: envoy, from: [127.0.0.4/32], hosts: [further.localhost]}
    - {caller: caddy, from: [127.0.0.5/32]}
    - {caller: haproxy, from: [127.0.0.6/32]}
"""
FORWARDED = ("X-Forwarded-Method: GET", f"X-Forwarded-Host: {HOST}", "X-Forwarded-Uri: /reports")


def refused(lab: Lab) -> dict[tuple[str, ...], float]:
    """What was counted of questions that are none, by caller and reason."""
    (metric,) = lab.gateway.metrics.forward_auth_refused_total._metric.collect()
    return {
        (sample.labels["caller"], sample.labels["reason"]): sample.value
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


async def test_r07_each_caller_is_read_in_its_own_way(lab: Lab) -> None:
    """By where it asks from: another one's headers say nothing, and who is nobody's is refused."""
    key, cookie = f"X-Gateway-Secret: {SECRET}", lab.cookie()
    assert (await lab.ask(cookie, *FETCH, key, peer="127.0.0.2")).status == 200
    assert (await lab.ask(cookie, *FETCH, *FORWARDED, bare=True, peer="127.0.0.3")).status == 200
    assert (
        await lab.ask(cookie, *FETCH, bare=True, path="/oauth2/auth/reports", peer="127.0.0.4")
    ).status == 200
    for peer, headers in (("127.0.0.2", (key, *FORWARDED)), ("127.0.0.4", (key, *FORWARDED))):
        answer = await lab.ask(cookie, *FETCH, *headers, bare=True, peer=peer)
        assert (answer.status, code(answer)) == (403, "original_missing")
    assert code(await lab.ask(cookie, *FETCH, key, peer="127.0.0.3")) == "original_missing"
    assert code(await lab.ask(cookie, *FETCH, key, *FORWARDED, peer="127.0.0.1")) == "untrusted_caller"
    assert refused(lab) == {
        ("nginx", "original_missing"): 1, ("envoy", "original_missing"): 1, ("traefik", "original_missing"): 1,
        ("nobody", "untrusted_caller"): 1,
    }  # fmt: skip


async def test_each_caller_is_answered_in_its_own_way(lab: Lab) -> None:
    """People are redirected where the caller hands that on; hosts are those that this caller may ask about."""
    key = f"X-Gateway-Secret: {SECRET}"
    assert (await lab.ask(*NAVIGATION, key, peer="127.0.0.2")).status == 401
    assert (await lab.ask(*NAVIGATION, *FORWARDED, bare=True, peer="127.0.0.3")).status == 302
    further = [line.replace(HOST, "further.localhost") for line in FORWARDED]
    assert (await lab.ask(lab.cookie(), *FETCH, *further, bare=True, peer="127.0.0.3")).status == 200
    envoy: dict[str, Any] = {"bare": True, "path": "/oauth2/auth/reports", "peer": "127.0.0.4"}
    assert (await lab.ask(lab.cookie(), *FETCH, own_host="further.localhost", **envoy)).status == 200
    assert code(await lab.ask(lab.cookie(), *FETCH, own_host="evil.test", **envoy)) == "unknown_host"
    answer = await lab.ask(lab.cookie(), *FETCH, key, host="further.localhost", peer="127.0.0.2")
    assert code(answer) == "unknown_host"


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ((), "secret_missing"), (("X-Gateway-Secret:",), "wrong_secret"), ((f"X-Gateway-Secret: {SECRET}x",), "wrong_secret"),
        ((f"X-Gateway-Secret: {SECRET[:-1]}",), "wrong_secret"), ((f"X_Gateway_Secret: {SECRET}",), "secret_missing"),
        ((f"X-Gateway-Secret: {SECRET}", f"x-gateway-secret: {SECRET}"), "secret_repeated"),
        ((f"X-Gateway-Secret: {SECRET}, {SECRET}",), "wrong_secret"), (("X-Gateway-Secret: \xe9",), "wrong_secret"),
    ],
)  # fmt: skip
async def test_r07_without_the_secret_a_question_is_not_believed(
    lab: Lab, sent: tuple[str, ...], detail: str
) -> None:
    """Whoever asks from its network: refused, counted, said once in the log, which does not repeat it."""
    lab.gateway.callers._seldom = Seldom(lambda: 0.0)
    with production_log() as log:
        for _ in range(3):
            answer = await lab.ask(lab.cookie(), *FETCH, *sent, peer="127.0.0.2")
            assert (answer.status, code(answer)) == (403, "untrusted_caller")
    (line,) = lines(log, "forward_auth_refused")
    assert (line["caller"], line["reason"], line["detail"], line["peer"]) == (
        "nginx", "untrusted_caller", detail, "127.0.0.2",
    )  # fmt: skip
    assert SECRET not in log.getvalue()
    assert refused(lab) == {("nginx", "untrusted_caller"): 3}


async def test_p19_another_secret_in_the_file_is_the_secret(lab: Lab, tmp_path: Path) -> None:
    """From the next look on, and the former one opens nothing; one that cannot be read changes nothing."""
    (watched,) = [each for each in lab.gateway.watched if each.name == "forward-auth secrets"]
    former, other = f"X-Gateway-Secret: {SECRET}", f"X-Gateway-Secret: {SECRET[::-1]}"
    cookie = lab.cookie()  # the very same questions, so that they are known by their bytes
    for _ in range(3):
        assert (await lab.ask(cookie, *FETCH, former, peer="127.0.0.2")).status == 200
    for text, good, bad in (("", former, other), (f"{SECRET[::-1]}\n", other, former)):
        (tmp_path / "caller-secret").write_text(text)
        await watched.look()
        for _ in range(3):
            assert (await lab.ask(cookie, *FETCH, good, peer="127.0.0.2")).status == 200
            assert (await lab.ask(cookie, *FETCH, bad, peer="127.0.0.2")).status == 403
    assert lab.gateway.health()["forward-auth_secrets"] == "ok"


LONG = "x" * 33_000
SOUND = (
    "X-Original-Method: GET",
    f"X-Original-URL: http://{HOST}/reports",
    f"X-Gateway-Secret: {SECRET}",
    *FORWARDED,
)
BAD: dict[str, tuple[tuple[str, ...], int]] = {
    "larger than its limits": ((f"X-Padding: {LONG}",), 431),
    "too many lines": (tuple(f"X-{at}: x" for at in range(130)), 431),
    "a doubled Origin": ((f"Origin: http://{HOST}", "origin: https://evil.test"), 400),
    "a doubled Sec-Fetch-Site": (("sec-fetch-site: cross-site",), 400),
    "a doubled Host": (("host: evil.test",), 400),
    "a handshake of two kinds": (("Upgrade: websocket", "upgrade: h2c"), 400),
    "two framings": (("Content-Length: 0", "Transfer-Encoding: chunked"), 400),
    "a length of two readings": (("Content-Length: 010",), 400),
    "a folded line": (("X-Folded: a\r\n b",), 400),
    "a bare line feed": (("X-Bare: a\nX-Original-URL: /",), 400),
    "a space before the colon": (("X-Forwarded-Uri : /public",), 400),
    "a control byte": (("X-Control: a\x01b",), 400),
}


@pytest.mark.parametrize("peer", ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"])
async def test_what_is_no_request_is_no_question_either(lab: Lab, peer: str) -> None:
    """In every dialect: refused by the door with a session or without, counted there, said once, and never a pass."""
    lab.gateway.access_log._seldom = Seldom(lambda: 0.0)
    cookie, path = lab.cookie(), "/oauth2/auth/reports" if peer == "127.0.0.4" else "/oauth2/auth"
    assert (await lab.ask(cookie, *FETCH, *SOUND, bare=True, path=path, peer=peer)).status == 200
    with production_log() as log:
        for bad, (headers, status) in BAD.items():
            answer = await lab.ask(cookie, *FETCH, *SOUND, *headers, bare=True, path=path, peer=peer)
            assert answer.status == status, bad
            assert not answer.value(b"x-auth-request-user"), bad
    said = [str(line["reason"]) for line in lines(log, "unreadable_request")]
    assert sorted(said) == ["ambiguous_header", "headers_too_large", "malformed_request"]
    counted = lab.gateway.metrics.unreadable_requests_total
    assert sum(counted[reason]._value.get() for reason in said) == len(BAD)


INSIDE = """
@id("inside") permit (principal is Anonymous, action, resource)
  when { context.client.isInRange(ip("127.0.0.0/8")) };
"""
EVERYBODY = (
    SEVERAL.replace(", secret_file: caller-secret", "")
    + """
    - {caller: apisix, from: [127.0.0.7/32]}
    - {caller: nginx-gateway-fabric, from: [127.0.0.8/32]}
"""
)
ASKING = {
    "nginx": ("127.0.0.2", "/oauth2/auth", SOUND[:2]),
    "traefik": ("127.0.0.3", "/oauth2/auth", FORWARDED),
    "envoy": ("127.0.0.4", "/oauth2/auth/reports", ()),
    "caddy": ("127.0.0.5", "/oauth2/auth", FORWARDED),
    "haproxy": ("127.0.0.6", "/oauth2/auth", FORWARDED),
    "apisix": ("127.0.0.7", "/oauth2/auth", FORWARDED),
    "nginx-gateway-fabric": ("127.0.0.8", "/oauth2/auth", ("Method: GET", "Path: /reports")),
}
"""Where each of them asks from, at which path, and the headers with which it says about what."""


@pytest.mark.parametrize("caller", ASKING)
async def test_r07_a_network_that_is_let_in_is_not_its_proxy_s(tmp_path: Path, caller: str) -> None:
    """Where a policy asks for the client, a question that names none is refused, though its proxy is in the network
    that may pass, and though the very same question has just passed for somebody there; the log says what is missing.
    """
    policies = tmp_path / "inside"
    policies.mkdir()
    (policies / "inside.cedar").write_text(INSIDE)
    peer, path, about = ASKING[caller]
    asked = (*FETCH, *about)
    with production_log() as log:
        async with running(
            tmp_path, forward_auth=EVERYBODY, trusted="127.0.0.0/8", policies=str(policies)
        ) as lab:
            lab.gateway.callers._seldom = Seldom(lambda: 0.0)
            for _ in range(3):
                near = await lab.ask(*asked, "X-Forwarded-For: 127.0.1.9", bare=True, path=path, peer=peer)
                assert near.status == 200
                away = await lab.ask(*asked, "X-Forwarded-For: 192.0.2.1", bare=True, path=path, peer=peer)
                assert away.status == 401
                nobody = await lab.ask(*asked, bare=True, path=path, peer=peer)
                assert (nobody.status, code(nobody)) == (403, "policy_error")
    (line,) = lines(log, "client_unknown")
    assert (line["why"], line["header"], line["proxy"]) == ("missing", "x-forwarded-for", peer)


async def test_where_no_policy_asks_for_the_client_a_question_need_not_name_it(tmp_path: Path) -> None:
    """Signed in or not."""
    async with running(tmp_path, forward_auth=EVERYBODY, trusted="127.0.0.0/8") as lab:
        for peer, path, about in ASKING.values():
            passed = await lab.ask(lab.cookie(), *FETCH, *about, bare=True, path=path, peer=peer)
            assert passed.status == 200
            assert (await lab.ask(*FETCH, *about, bare=True, path=path, peer=peer)).status == 401
