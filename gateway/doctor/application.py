"""The application behind the gateway: is it there, and does it stand in the way of a sign-out?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

from gateway.app.options import logout_options
from gateway.doctor.check import check
from gateway.doctor.hops import NOBODY
from gateway.doctor.page import Html, form_action, may_share_a_site, policies_of, uncovered
from gateway.doctor.patient import Patient
from gateway.doctor.probe import NoAnswerError, Reply, parts_of
from gateway.doctor.served import fetched
from gateway.doctor.verdict import Observation, failed, ok, unknown, warning
from gateway.oidc.wire import printable
from gateway.settings.model import Settings
from gateway.settings.sections import UpstreamSection

USUAL_WORKERS = ("sw.js", "service-worker.js", "ngsw-worker.js")


@check("upstreams", "Is everything there that requests go on to?")
async def upstreams(patient: Patient) -> AsyncIterator[Observation]:
    for served in patient.served:
        name = f"{served.upstream.path} → {served.upstream.url}"
        if served.seen is None:
            yield failed(name, served.fault, "start it, or fix its url in upstreams")
        elif served.seen.status >= 500:
            yield warning(name, f"it answers {served.seen.status}", "look at the application's own log")
        else:
            yield ok(name, f"it answers {served.seen.status}")


@check("service-worker", "Does a service worker answer in our place?")
async def service_worker(patient: Patient) -> AsyncIterator[Observation]:
    for upstream, seen in _documents(patient):
        worker = await _worker(upstream, seen, patient.settings)
        if worker is None:
            yield unknown(upstream.path, "none was found; a script may register one under any name")
            continue
        what = (
            "a service worker with a navigation fallback shows the application at /logout and /logged-out too"
        )
        fix = (
            "sign out with a form (POST) or tab.js, never a link, and keep /logout, /logged-out and"
            f" {patient.settings.prefix} out of the worker's fallback (docs/tabs.md)"
        )
        yield warning(worker, what, fix)


@check("form-action", "Do the application's pages let a sign-out form go through the chain?")
async def form_actions(patient: Patient) -> AsyncIterator[Observation]:
    own = str(patient.settings.public_url)
    origins = [origin for origin in logout_options(patient.settings).form_origins if origin != own]
    for upstream, seen in _documents(patient):
        policies = [*policies_of(seen.header("content-security-policy")), *Html.read(seen.body).policies]
        listed = [sources for policy in policies if (sources := form_action(policy)) is not None]
        missing = list(dict.fromkeys(each for sources in listed for each in uncovered(sources, origins, own)))
        if missing:
            what = "Chromium holds form-action against redirects behind a form too: the chain stops after our session"
            fix = f"add {' '.join(missing)} to form-action, or sign out with gatewaySignOut() of tab.js"
            yield failed(upstream.path, what, fix)
        elif _leads_on(patient.settings) and any(uncovered(sources, [NOBODY], own) for sources in listed):
            what = "form-action allows Cognito, which by SAML single logout leads on to a provider not known here"
            yield warning(upstream.path, what, "add the origin of that provider to form-action as well")
        else:
            what = "form-action allows the hops" if listed else "no form-action that could stop it"
            yield ok(upstream.path, what)


@check("caching", "Could a browser show the application from its cache after a sign-out?")
async def caching(patient: Patient) -> AsyncIterator[Observation]:
    fronted = patient.settings.forward_auth is not None
    for upstream, seen in _documents(patient):
        stored = "no-store" not in seen.header("cache-control").lower()
        if not stored:
            yield ok(upstream.path, "its documents say no-store")
        elif fronted:
            what = (
                "its documents do not say no-store, and behind a proxy they do not pass us, who would add it"
            )
            yield warning(
                upstream.path, what, "send `Cache-Control: no-store` with HTML, or Back shows it in Firefox"
            )
        else:
            yield ok(upstream.path, "its documents do not say no-store; the gateway adds it")


@check("tab-script", "Do open tabs hear of a sign-out?")
async def tab_script(patient: Patient) -> AsyncIterator[Observation]:
    settings = patient.settings
    script = f"{settings.prefix}/tab.js"
    if settings.browser.inject_tab_script:
        yield ok("browser.inject_tab_script", f"{script} is put into every page of a signed-in user")
        return
    for upstream, seen in _documents(patient):
        loaded = any(parts_of(src).path == script for src in Html.read(seen.body).scripts)
        if loaded or f'"{script}"' in seen.body or f"'{script}'" in seen.body:
            yield ok(upstream.path, f"its pages load {script}")
        else:
            what = (
                f"{script} is not in its first page: other tabs show what they have until their next request"
            )
            fix = f'load it in every page (<script src="{script}" async></script>), or set browser.inject_tab_script'
            yield warning(upstream.path, what, fix)


@check("site-data", "Could a Clear-Site-Data header sign people out of the wrong things?")
async def site_data(patient: Patient) -> AsyncIterator[Observation]:
    settings = patient.settings
    ours = urlsplit(str(settings.public_url)).hostname or ""
    theirs = [urlsplit(origin).hostname or "" for origin in logout_options(settings).form_origins]
    shared = [host for host in theirs if host != ours and may_share_a_site(ours, host)]
    for upstream, seen in _documents(patient):
        header = seen.header("clear-site-data").lower()
        if '"cookies"' in header or '"*"' in header:
            what = "its documents clear all cookies of the registrable domain, also those of a sign-out under way"
            yield warning(
                upstream.path, what, "leave that to logout.clear_site_data, which comes after the last hop"
            )
    if shared:
        what = (
            f"{', '.join(shared)} may be of the same site as {ours}: cookies that are cleared here"
            " would be cleared there before"
            " its session ends; the gateway clears no cookies but its own, and site data only after the last hop"
        )
        yield ok("public_url", what)
    else:
        yield ok("public_url", "no provider of the chain shares a domain with it")


def _leads_on(settings: Settings) -> bool:
    """Whether Cognito may send the browser to a provider that the configuration does not name by its address."""
    named = any(hop.elsewhere for hop in logout_options(settings).hops)
    return settings.provider.identity_provider is not None and not named


def _documents(patient: Patient) -> Iterator[tuple[UpstreamSection, Reply]]:
    """The HTML documents at the roots of the upstreams; what does not answer is the business of ``upstreams``."""
    for served in patient.served:
        if served.document is not None:
            yield served.upstream, served.document


async def _worker(upstream: UpstreamSection, seen: Reply, settings: Settings) -> str | None:
    """Address of the service worker, as far as it can be found without running the application."""
    registered = Html.read(seen.body).worker
    if registered is not None:
        return printable(registered, 120) or upstream.path
    for name in USUAL_WORKERS:
        path = f"{upstream.path.rstrip('/')}/{name}"
        try:
            found = await fetched(upstream, settings, path)
        except NoAnswerError:
            continue
        if found.status == 200 and "javascript" in found.header("content-type"):
            return path
    return None


CHECKS = (upstreams, service_worker, form_actions, caching, tab_script, site_data)
