"""The doctor's walk through each real proxy: good with its recipe whole, and the line that is taken out is the one it names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.doctor.patient import Discovered, Patient
from gateway.doctor.probe import Probe
from gateway.doctor.recipe_lines import LINES
from gateway.doctor.verdict import Observation, Verdict
from gateway.doctor.walk import walk
from tests.doctor.deployment import FAILED, OK, Deployment
from tests.fakes.ports import free_port
from tests.fakes.upstream import Call, FakeUpstream, reply
from tests.flows.front import CALLERS, OVER_GRPC, Front, fronted

OTHERWISE = {
    "auth_request_set $gateway_login    $upstream_http_location;": 'auth_request_set $gateway_login "";',
    "auth_request_set $gateway_reason   $upstream_http_x_gateway_reason;": 'auth_request_set $gateway_reason "";',
    "location ~ ^/(oauth2|logout|logged-out)(/|$) {": "location ~ ^/nothing$ {",
    "forward_auth 127.0.0.1:8080 {": "forward_auth /nothing 127.0.0.1:8080 {",
    "uri /oauth2/auth": "uri /nothing",
    "@question path /oauth2/auth /oauth2/auth/*": "@question path /nothing",
    "@gateway path /oauth2/* /logout /logout/* /logged-out /logged-out/*": "@gateway path /nothing",
    "- name: envoy.filters.http.ext_authz": "- name: envoy.filters.http.ext_authz\n                    disabled: true",
    '[{safe_regex: {regex: ".+"}}]}': "[{exact: x-nothing}]}",
    "PathRegexp(`^/(oauth2|logout|logged-out)(/|$)`)": "PathRegexp(`^/nothing`)",
    "address: http://127.0.0.1:8080/oauth2/auth": "address: http://127.0.0.1:8080",
    "[ask, ": "[",
    "copy_headers X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Groups": "copy_headers",
    "[{prefix: x-auth-request-}": "[{exact: x-nothing}",
    "header_up Cookie ": "header_up X-Nothing ",
    "header_down Set-Cookie ": "header_down X-Nothing ",
    "header_down Clear-Site-Data ": "header_down X-Nothing ",
    "authResponseHeadersRegex:": "authResponseHeadersRegex:",
    "- match: {path_separated_prefix: ": "- match: {path_separated_prefix: /nothing",
}  # fmt: skip
"""Where a file without the line is none for its proxy: how the line is put out of force."""
AT_APPLICATION = {"identity", "foreign", "own cookies", "set ours", "clear ours", "documents", "renewed"}
"""What shows at the application only: `test_stand_in.py`."""
ANY_SUFFICES = {("handshake", "envoy"), ("handshake", "haproxy")}


def cases(caller: str) -> Iterator[tuple[str, ...]]:
    """The lines that are taken out, one after the other; those of which one is enough, together."""
    for purpose, lines in LINES.items():
        if purpose in AT_APPLICATION:
            continue
        if (purpose, caller) in ANY_SUFFICES:
            yield lines[caller]
        else:
            yield from ((line,) for line in lines.get(caller, ()))


def without(lines: tuple[str, ...], text: str) -> str:
    """A file of the recipe with these lines out of force; a file that does not have them stays."""
    for line in lines:
        part, instead = next(((part, put) for part, put in OTHERWISE.items() if part in line), (line, ""))
        text = text.replace(line, line.replace(part, instead), 1)
    return text


async def seen(front: Front) -> list[Observation]:
    """What the walk says of the proxy as it runs now."""
    probe = Probe(resolve={"app.localhost": "127.0.0.1"})
    patient = Patient(
        settings=front.stand.gateway.settings, discovered=Discovered(), probe=probe, front=f"{front.app}/"
    )
    return [observation async for observation in walk.look(patient)]


@pytest.mark.parametrize("caller", [*CALLERS, OVER_GRPC])
async def test_the_walk_names_the_line_that_is_taken_out(tmp_path: Path, caller: str) -> None:
    """And finds nothing where none is."""
    async with fronted(tmp_path, caller=caller) as front:
        whole = await seen(front)
        assert [each.what for each in whole if each.verdict is not OK] == []
        assert len(whole) > 15
        for lines in cases(caller):
            await front.exchange(partial(without, lines))
            found = [each for each in await seen(front) if each.verdict is FAILED]
            named = {line for line in lines for each in found if f"`{line}`" in each.fix}
            assert named == set(lines), (lines, [(each.what, each.fix) for each in found])


async def test_the_walk_says_why_nobody_is_believed(tmp_path: Path) -> None:
    """A secret that the proxy does not send; nothing more is looked at then."""
    async with fronted(tmp_path, asked=", secret: 0123456789abcdef") as front:
        (only,) = await seen(front)
        assert (only.verdict, only.what) == (FAILED, "the gateway does not believe who asks")
        assert "X-Gateway-Secret" in only.fix
        assert "trusted_proxies" in only.fix


async def test_the_walk_needs_somebody_who_answers(cognito: Deployment) -> None:
    """No proxy, no forward_auth, and no walk unless it is asked for."""
    asked = {
        "forward_auth": {"caller": "nginx"}, "trusted_proxies": ["127.0.0.1"],
        "session": {"key_files": ["session-key"], "idle": "1h", "absolute": "1h"},
    }  # fmt: skip
    assert await cognito.seen("forward-auth-walk") == []
    (nobody,) = await cognito.seen("forward-auth-walk", front=f"http://127.0.0.1:{free_port()}")
    assert nobody.verdict is Verdict.FAILED
    assert "forward_auth" in nobody.fix
    cognito.pieces |= asked
    (away,) = await cognito.seen("forward-auth-walk", front=f"http://127.0.0.1:{free_port()}")
    assert away.verdict is Verdict.FAILED
    assert "no connection" in away.what


async def test_a_page_that_the_proxy_cannot_ask_about_is_not_the_applications_answer(
    cognito: Deployment,
) -> None:
    """The gateway answered a script, and a moment later the proxy had none to ask: a 500 of its own, and no application."""

    async def script(call: Call) -> None:
        page = call.values(b"Sec-Fetch-Mode") == [b"navigate"]
        await call.send(
            reply(b"", status=b"500 Internal Server Error")
            if page
            else reply(b"", b"X-Gateway-Reason: login_required", status=b"401 Unauthorized")
        )

    cognito.pieces |= {
        "forward_auth": {"caller": "nginx"}, "trusted_proxies": ["127.0.0.1"],
        "session": {"key_files": ["session-key"], "idle": "1h", "absolute": "1h"},
    }  # fmt: skip
    proxy = await FakeUpstream(script).start()
    try:
        (asked,) = await cognito.seen("forward-auth-walk", front=proxy.url)
    finally:
        await proxy.close()
    assert asked.verdict is Verdict.FAILED
    assert "nothing passes (500)" in asked.what
