"""The third pass: what is said of the proxies that ask the gateway (forward-auth)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import combinations

from gateway.config.findings import KeyPath
from gateway.config.remarks import Remark, Rule, error, rule
from gateway.core.http.forwarded import RELAYING
from gateway.settings.model import Settings
from gateway.settings.names import Network
from gateway.settings.sections import CallerSection

RENEWING = frozenset({"traefik"})
"""Those that can be told to hand Set-Cookie of a pass on to the browser, by the names of the cookies."""
LEAST_SECRET = 16
"""Characters. What `openssl rand -hex 8` makes can be tried for centuries over a network."""


def _places(settings: Settings) -> list[tuple[KeyPath, CallerSection]]:
    """Everybody who may ask, with where that stands."""
    asked = settings.forward_auth
    if asked is None:
        return []
    if not asked.callers:
        return [(("forward_auth",), asked.asking[0])]
    return [(("forward_auth", "callers", index), caller) for index, caller in enumerate(asked.callers)]


@rule("forward_auth")
def _one_way_to_say_it(settings: Settings) -> Iterator[Remark]:
    asked = settings.forward_auth
    if asked is None or not asked.callers:
        return
    for each in fields(CallerSection):
        if getattr(asked, each.name):
            what = "stands beside `callers`, and is short for a list of one"
            yield error(
                ("forward_auth", each.name.removesuffix("_")), what, "move it into an entry of `callers`"
            )


@rule("forward_auth", "trusted_proxies")
def _networks(settings: Settings) -> Iterator[Remark]:
    places = _places(settings)
    if places and not settings.trusted_proxies:
        what = "no proxy is trusted, so every question is answered 403"
        yield error("forward_auth", what, "list the address of the proxy in front in `trusted_proxies`")
        return
    for path, caller in places:
        for network in caller.from_:
            if not any(_within(network, trusted) for trusted in settings.trusted_proxies):
                what = f"{network} is not within `trusted_proxies`: what {caller.caller} says of clients does not count"
                yield error((*path, "from"), what, f"list {network} in `trusted_proxies` too")
    for (_, one), (path, other) in combinations(places, 2):
        twice = _common(one.from_ or settings.trusted_proxies, other.from_ or settings.trusted_proxies)
        if twice is not None:
            mine, theirs = twice
            what = (
                f"{theirs} of {other.caller} overlaps {mine} of {one.caller}, and nobody could tell which of the two"
                " asks from there"
            )
            fix = "give each a `from` of its own"
            if one.caller == other.caller:
                fix += ", or make one entry of the two, with the hosts of both"
            yield error((*path, "from") if other.from_ else path, what, fix)


@rule("forward_auth")
def _callers(settings: Settings) -> Iterator[Remark]:
    for path, caller in _places(settings):
        if caller.login == 302 and caller.caller not in RELAYING:
            what = f"{caller.caller} takes a 302 from auth_request for an error and answers 500"
            yield error((*path, "login"), what, "write 401, and let error_page lead to the sign-in")
        if caller.renews_cookies and caller.caller not in RENEWING:
            what = f"{caller.caller} has no way to hand the cookies of a pass on to the browser"
            fix = "leave it out; keep sessions in Redis with `session.store: ticket` where an idle deadline is wanted"
            yield error((*path, "renews_cookies"), what, fix)
        if caller.secret is not None:
            text = caller.secret.text
            if not text.isascii() or text != text.strip():
                what = "has characters that no proxy hands on in a header as they are"
                yield error((*path, "secret"), what, "make one with `openssl rand -hex 32`")
            elif len(text) < LEAST_SECRET:
                what = f"has less than {LEAST_SECRET} characters, so it can be guessed"
                yield error((*path, "secret"), what, "make one with `openssl rand -hex 32`")


@rule("forward_auth", "session", "headers")
def _what_a_check_cannot_do(settings: Settings) -> Iterator[Remark]:
    if settings.forward_auth is None:
        return
    asked = settings.forward_auth
    forgetful = settings.session.store == "cookie" and settings.session.idle < settings.session.absolute
    losing = dict.fromkeys(caller.caller for caller in asked.asking if not asked.renews(caller))
    if forgetful and losing:
        what = (
            f"behind {' and '.join(losing)} renewed cookies do not reach the browser, so with sessions in the cookie"
            " everybody would be signed out after session.idle, active or not"
        )
        fix = (
            "set session.idle to the same as session.absolute, and that as short as people may stay signed in;"
            " or keep sessions in Redis with `session.store: ticket`;"
            " or behind traefik write `renews_cookies: true`, if its recipe's `addAuthCookiesToResponse` is in force;"
            " or remove forward_auth and let the gateway forward the requests itself"
        )
        yield error("forward_auth", what, fix)
    if settings.headers.authorization:
        what = "behind a proxy in front no token is ever refreshed, so callers would soon get expired ones"
        fix = "leave it out, or let the gateway forward the requests itself"
        yield error("headers.authorization", what, fix)


def _common(some: tuple[Network, ...], others: tuple[Network, ...]) -> tuple[Network, Network] | None:
    """Two networks that have an address in common."""
    pairs = ((one, other) for one in some for other in others)
    return next(
        (pair for pair in pairs if pair[0].version == pair[1].version and pair[0].overlaps(pair[1])), None
    )


def _within(network: Network, outer: Network) -> bool:
    return outer.version == network.version and network.subnet_of(outer)  # type: ignore[arg-type]  # of one version, which mypy does not see


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
