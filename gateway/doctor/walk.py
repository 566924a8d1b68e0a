"""Through the proxy in front, as a browser goes, without signing in: which line of its recipe is not in force there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from gateway.core import clock
from gateway.core.http.forwarded import RELAYING
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.cookies import logout_cookie
from gateway.core.signout.chain import FORMAT, Chain, HopState
from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError
from gateway.doctor.recipe_lines import OVER_GRPC, kinds_of, named
from gateway.doctor.verdict import Observation, failed, ok
from gateway.doctor.walk_steps import FETCH, NAVIGATION, reason, steps, way_back

_MISASKED = frozenset({"original_missing", "original_ambiguous", "original_malformed", "unknown_host"})
_TRUST = (
    "list the proxy's address in trusted_proxies, and in `from` where a caller has one; where it has a secret_file put"
    " the recipe's X-Gateway-Secret line into force; `forward_auth_refused` in the gateway's log says which it is"
)
_RECIPE = "compare its configuration with the recipe in deploy/forward-auth/"


@check("forward-auth-walk", "Is the proxy in front set up as its recipe is?")
async def walk(patient: Patient) -> AsyncIterator[Observation]:
    if not patient.front:
        return
    settings, front = patient.settings, patient.front.rstrip("/")
    if settings.forward_auth is None:
        yield failed(front, "nobody may ask this gateway", "add forward_auth, as docs/forward-auth.md says")
        return
    kinds = kinds_of(settings.forward_auth)
    home = settings.upstreams[0].path.rstrip("/")
    there = f"{home}/gateway-doctor/a%20b?c=%2Fd&e"
    try:
        asked = await _asked(patient, front, there, kinds)
        yield asked
        if asked.fix:
            return
        for step in steps(settings.prefix, there, _signing_out(patient), by_http={*kinds} != {OVER_GRPC}):
            url = front + (step.path or there)
            reply = await patient.probe.ask(step.method, url, step.headers)
            if step.right(reply):
                yield ok(url, step.good)
            else:
                what = f"{step.bad} (it was answered {' '.join(filter(None, (str(reply.status), reason(reply))))})"
                yield failed(url, what, named(step.purposes, kinds, _RECIPE))
    except NoAnswerError as error:
        yield failed(
            front, str(error), "see that the proxy runs, and that this machine reaches it as browsers do"
        )
        return


async def _asked(patient: Patient, front: str, there: str, kinds: Sequence[str]) -> Observation:
    """Whether the gateway is asked at all, whether it believes who asks, and about what it is asked."""
    url, start = front + there, f"{patient.settings.public_url}{patient.settings.prefix}/start?rd="
    fetched = await patient.probe.ask("GET", url, FETCH)
    went = await patient.probe.ask("GET", url, NAVIGATION)
    why = reason(fetched)
    if why == "untrusted_caller":
        return failed(url, "the gateway does not believe who asks", _TRUST)
    if why in _MISASKED:
        what = f"the gateway is not told what it is asked about ({why})"
        return failed(url, what, named(("path", *await _lost(patient, url)), kinds, _RECIPE))
    if (status := max(fetched.status, went.status)) >= 500:
        what = f"nothing passes ({status}): the gateway is not asked, or does not answer"
        return failed(
            url, what, f"see that the gateway runs where the proxy asks; {named(('asked',), kinds, _RECIPE)}"
        )
    relaying = {*RELAYING, OVER_GRPC}.issuperset(kinds)
    unmarked = relaying and fetched.status == 401 and not fetched.header("x-gateway-reason")
    if unmarked or went.location.startswith(f"{patient.settings.prefix}/start?"):
        what = "the gateway answers as for its own page: it is not asked at the address for questions"
        return failed(url, what, named(("path", "body"), kinds, _RECIPE))
    for reply in (fetched, went):
        if reply.status not in {401, 403} and not reason(reply) and not reply.location.startswith(start):
            what = f"the application answers ({reply.status}) unasked, or a policy opens it to Anonymous"
            return failed(url, what, named(("asked",), kinds, _RECIPE))
    if went.location.startswith(start) and way_back(went) != there:
        what = f"the original address is lost: the way back would be {way_back(went)}"
        return failed(url, what, named(("target",), kinds, _RECIPE))
    return ok(url, "the gateway is asked, and about this address")


async def _lost(patient: Patient, url: str) -> tuple[str, ...]:
    """Which fact the proxy does not say itself: the one that it lets a client say in its place, or any of them."""
    authority = urlsplit(url).netloc
    in_its_place = {
        "method": {"x-original-method": "GET", "x-forwarded-method": "GET"},
        "host": {"x-forwarded-host": authority},
        "target": {"x-original-url": f"https://{authority}/", "x-forwarded-uri": "/"},
    }
    for purpose, headers in in_its_place.items():
        if reason(await patient.probe.ask("GET", url, {**FETCH, **headers})) not in _MISASKED:
            return (purpose,)
    return tuple(in_its_place)


def _signing_out(patient: Patient) -> str:
    """Cookies of a sign-out under way that is in no log and in no browser; empty where the keys cannot be read."""
    settings, now, ring = patient.settings, clock.now(), patient.ring()
    if ring is None:
        return ""
    cookie = logout_cookie(int(settings.session.absolute), suffix=settings.session.cookie_suffix or "")
    chain = Chain(now, (HopState("gateway-doctor"),), 0, now + 60)
    lines = cookie.set(FORMAT.plain(chain), ring, patient.deployment, now=now, carried=NO_COOKIES)
    return "; ".join(line.partition(";")[0] for line in lines)


CHECKS = (walk,)
