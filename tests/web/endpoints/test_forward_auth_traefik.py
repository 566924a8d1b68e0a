"""What Traefik and Envoy need of an answer, and of the question, that nginx does not (rules R7, R17)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.core import clock
from gateway.core.http import own_cookies
from gateway.core.session.cookies import session_cookie, ticket_cookie
from tests.flows.front import RECIPES
from tests.web.endpoints.test_forward_auth import FETCH, HOST, OPEN, code, running

ABOUT = ("X-Forwarded-Method: GET", f"X-Forwarded-Host: {HOST}", "X-Forwarded-Uri: /reports")
COOKIES = [
    (("a=1",), [b"a=1"]),
    ((), [b""]),
    (("a=1", "b=2; __Host-logout=x; c=3"), [b"a=1; b=2; c=3"]),
]


@pytest.mark.parametrize(("sent", "told"), COOKIES)
async def test_r17_a_pass_tells_the_cookies_without_ours(
    tmp_path: Path, sent: tuple[str, ...], told: list[bytes]
) -> None:
    """In one header, empty where nothing is left, so that the caller writes it over the client's."""
    async with running(tmp_path, forward_auth="{caller: traefik}") as lab:
        own = lab.cookie()
        answer = await lab.ask(own, *(f"Cookie: {each}" for each in sent), *ABOUT, *FETCH, bare=True)
        assert (answer.status, code(answer)) == (200, "")
        assert answer.values(b"cookie") == told
        assert own.partition("=")[2].encode() not in b"".join(answer.values(b"cookie"))


async def test_a_pass_for_somebody_without_cookies_tells_none(tmp_path: Path) -> None:
    """The application hears of no header that nobody has sent."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "open.cedar").write_text(OPEN)
    async with running(tmp_path, forward_auth="{caller: traefik}", policies=str(policies)) as lab:
        answer = await lab.ask(*ABOUT, *FETCH, bare=True)
        assert (answer.status, answer.values(b"cookie")) == (200, [])


@pytest.mark.parametrize("caller", ["traefik", "envoy"])
async def test_r17_both_are_told(tmp_path: Path, caller: str) -> None:
    """Both write headers of a pass over the client's."""
    async with running(tmp_path, forward_auth=f"{{caller: {caller}}}") as lab:
        path = "/oauth2/auth/reports" if caller == "envoy" else "/oauth2/auth"
        answer = await lab.ask(lab.cookie() + "; a=1", *ABOUT, *FETCH, bare=True, path=path)
        assert (answer.status, answer.values(b"cookie")) == (200, [b"a=1"])


@pytest.mark.parametrize("caller", ["nginx", "caddy", "haproxy"])
async def test_a_caller_that_takes_our_cookies_out_itself_is_told_none(tmp_path: Path, caller: str) -> None:
    """nginx has room for 4 or 8 KiB of an answer, and the cookies of some sites are larger."""
    async with running(tmp_path, forward_auth=f"{{caller: {caller}}}") as lab:
        about = () if caller == "nginx" else ABOUT
        answer = await lab.ask(lab.cookie() + "; a=1", *about, *FETCH, bare=caller != "nginx")
        assert (answer.status, answer.values(b"cookie")) == (200, [])


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "gateway.sso.svc", "", "evil.test"])
async def test_r07_a_question_may_come_under_any_host(tmp_path: Path, host: str) -> None:
    """Traefik's is that of `address`, and nothing of it is looked at; every other path is asked for by its own host."""
    async with running(tmp_path, forward_auth="{caller: traefik}") as lab:
        asked = await lab.ask(lab.cookie(), *ABOUT, *FETCH, bare=True, own_host=host)
        assert asked.status == 200
        about = tuple(each.replace(HOST, host or "evil.test") for each in ABOUT)
        other = await lab.ask(lab.cookie(), *about, *FETCH, bare=True)
        assert (other.status, code(other)) == (403, "unknown_host")
        for path in ("/oauth2/authorized", "/oauth2/start", "/reports", "/logout"):
            assert (await lab.ask(*FETCH, bare=True, own_host=host, path=path)).status == 421


async def test_r07_envoys_host_is_the_one_asked_about(tmp_path: Path) -> None:
    """So it is looked at, by whoever answers the question."""
    async with running(tmp_path, forward_auth="{caller: envoy}") as lab:
        path = "/oauth2/auth/reports"
        assert (await lab.ask(lab.cookie(), *FETCH, bare=True, path=path)).status == 200
        other = await lab.ask(lab.cookie(), *FETCH, bare=True, path=path, own_host="evil.test")
        assert (other.status, code(other)) == (403, "unknown_host")


async def test_activity_moves_the_idle_deadline_where_the_caller_renews_cookies(tmp_path: Path) -> None:
    """By the cookies of a pass, beside what is said of the client's own; a fresh session is left alone."""
    async with running(tmp_path, forward_auth="{caller: traefik, renews_cookies: true}") as lab:
        fresh = await lab.ask(lab.cookie(), *ABOUT, *FETCH, bare=True)
        assert (fresh.status, fresh.values(b"set-cookie")) == (200, [])
        soon = lab.cookie(idle_until=clock.now() + 30)
        used = await lab.ask(f"{soon}; a=1", *ABOUT, *FETCH, bare=True)
        assert (used.status, used.values(b"cookie")) == (200, [b"a=1"])
        assert used.values(b"x-auth-request-user") == [b"alice@example.com"]
        renewed = "; ".join(line.decode().partition(";")[0] for line in used.values(b"set-cookie"))
        assert renewed.startswith("__Host-session")
        assert (await lab.ask(f"Cookie: {renewed}", *ABOUT, *FETCH, bare=True)).status == 200
    async with running(tmp_path, forward_auth="{caller: traefik}") as lab:
        used = await lab.ask(lab.cookie(idle_until=clock.now() + 30), *ABOUT, *FETCH, bare=True)
        assert (used.status, used.values(b"set-cookie")) == (200, [])


def test_the_recipe_names_every_cookie_that_may_be_renewed() -> None:
    """Each piece of the session's, in the cookie or in Redis, and the hint."""
    recipe = yaml.safe_load((RECIPES / "traefik-routes.yaml").read_text())
    named = recipe["http"]["middlewares"]["ask"]["forwardAuth"]["addAuthCookiesToResponse"]
    assert sorted(named) == sorted({*session_cookie(1).names(), *ticket_cookie(1).names(), own_cookies.HINT})
