"""The third pass: what keys say about each other. Network and routes here; see also the other `…_rules.py`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.remarks import Remark, Rule, error, note, rule, warning
from gateway.oidc.providers.registry import PROVIDERS
from gateway.settings.model import Settings

_RESERVED = ("/logout", "/logged-out")
LEAST_COOKIES = 2_500
"""Bytes: five login attempts of 300, and 1,000 for a small session (rule R33)."""


@rule("public_url")
def _local(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.is_local:
        what = f"only this machine can reach {settings.public_url}, and the checks for production are relaxed"
        yield warning("public_url", what, "write the https address that users open, once it is not a trial")


@rule("public_url", "allowed_origins")
def _origins_over_https(settings: Settings) -> Iterator[Remark]:
    for index, origin in enumerate(settings.allowed_origins):
        if origin.scheme == "http" and not settings.public_url.is_local:
            yield error(("allowed_origins", index), f"`{origin}` is not https", "write its https origin")
        if origin == settings.public_url:
            yield warning(("allowed_origins", index), "is `public_url`, which is always allowed", "remove it")


@rule("tls")
def _both_tls_files(settings: Settings) -> Iterator[Remark]:
    given = {name for name in ("cert_file", "key_file") if getattr(settings.tls, name) is not None}
    if len(given) == 1:
        missing = ({"cert_file", "key_file"} - given).pop()
        yield error(
            f"tls.{given.pop()}", f"needs `tls.{missing}` beside it", f"add tls.{missing}, or remove both"
        )


@rule("public_url", "tls")
def _own_tls_needs_https(settings: Settings) -> Iterator[Remark]:
    if settings.tls.enabled and settings.public_url.scheme == "http":
        what = "`listen` speaks TLS, but browsers are told to come by http"
        yield error("public_url", what, "write https:// in public_url, or remove tls")


@rule("public_url", "tls", "trusted_proxies")
def _somebody_speaks_tls(settings: Settings) -> Iterator[Remark]:
    if settings.public_url.scheme == "https" and not (settings.tls.enabled or settings.trusted_proxies):
        what = "is https, but there is neither `tls` here, nor a proxy in `trusted_proxies` that speaks it"
        fix = "set tls.cert_file and tls.key_file; or list the proxy, or all its clients count as one address"
        yield note("public_url", what, fix)


@rule("public_url", "hosts")
def _hosts_without_sessions(settings: Settings) -> Iterator[Remark]:
    """The session's cookie is that of one host (``__Host-``), and the way back of every sign-in leads there."""
    home = settings.public_url.host
    for index, host in enumerate(settings.hosts):
        if urlsplit(f"//{host}").hostname != home:
            what = f"nobody can be signed in at {host}: cookies and the way back of a sign-in are those of {home}"
            fix = f"lead people to {settings.public_url}, or give {host} a gateway of its own; public paths work there"
            yield warning(("hosts", index), what, fix)


@rule("listen", "probes.listen", "admin.listen")
def _listeners_apart(settings: Settings) -> Iterator[Remark]:
    listeners = {
        "listen": settings.listen,
        "probes.listen": settings.probes.listen,
        "admin.listen": settings.admin.listen,
    }
    taken: dict[int, str] = {}
    for key, address in listeners.items():
        if address.port and address.port in taken:
            yield error(
                key, f"port {address.port} is already that of `{taken[address.port]}`", "choose another port"
            )
        taken.setdefault(address.port, key)


@rule("trusted_proxies")
def _trust_everybody(settings: Settings) -> Iterator[Remark]:
    for index, network in enumerate(settings.trusted_proxies):
        if network.prefixlen == 0:
            what = "every client counts as a trusted proxy and can invent its address"
            yield warning(("trusted_proxies", index), what, "list the networks of the proxies in front")


@rule("proxy_protocol", "trusted_proxies")
def _proxy_protocol(settings: Settings) -> Iterator[Remark]:
    if settings.proxy_protocol and not settings.trusted_proxies:
        what = "no proxy is trusted, so every connection would be closed"
        yield error("proxy_protocol", what, "list the proxy that sends the header in `trusted_proxies`")


def _alike(path: str) -> str:
    return path.casefold().rstrip("/")


@rule("upstreams")
def _upstreams(settings: Settings) -> Iterator[Remark]:
    if not settings.upstreams:
        yield error("upstreams", "is empty", "add at least {path: /, url: http://127.0.0.1:3000}")
        return
    first: dict[str, int] = {}
    for index, upstream in enumerate(settings.upstreams):
        if upstream.path in first:
            what = f"the path {upstream.path} is already that of upstreams[{first[upstream.path]}]"
            yield error(("upstreams", index, "path"), what, "keep one of the two")
        first.setdefault(upstream.path, index)
    for path, index in first.items():
        twin = next((other for other in first if other != path and _alike(other) == _alike(path)), None)
        if twin is not None:
            what = f"{path} differs from {twin} only in its case or its last slash, which many servers read as one"
            yield warning(("upstreams", index, "path"), what, "keep one, with `paths: insensitive`")
    if "/" not in first:
        what = "no upstream has the path /, so other paths are answered 404"
        yield warning("upstreams", what, "add one with path: / if the application is served there")


@rule("upstreams")
def _files_are_asked_for_nothing(settings: Settings) -> Iterator[Remark]:
    """They are found by what follows ``path``, and nobody hears a Host."""
    for index, upstream in enumerate(settings.upstreams):
        if upstream.url.kind == "file":
            given = {"strip_prefix": upstream.strip_prefix, "host": upstream.host == "own"}
            for name in (name for name, is_set in given.items() if is_set):
                what = f"means nothing for files: they are found below {upstream.url} without {upstream.path}"
                yield error(("upstreams", index, name), what, "remove it")


@rule("upstreams", "forward_auth")
def _sign_outs_of_applications(settings: Settings) -> Iterator[Remark]:
    for index, upstream in enumerate(settings.upstreams):
        for place, path in enumerate(upstream.sign_out_on):
            key = ("upstreams", index, "sign_out_on", place)
            either = str.casefold if upstream.paths == "insensitive" else str
            if not either(path).startswith(either(upstream.path)):
                what = (
                    f"{path} does not lie under {upstream.path}, so no request for it comes to this upstream"
                )
                yield error(key, what, "write the whole path, as browsers ask for it")
            elif settings.forward_auth is not None:
                what = "a proxy in front forwards this request, and its answer does not pass the gateway"
                yield warning(key, what, "let the application's sign-out lead to /logout")


@rule("upstreams", "prefix")
def _upstreams_behind_reserved_paths(settings: Settings) -> Iterator[Remark]:
    for index, upstream in enumerate(settings.upstreams):
        for taken in (settings.prefix, *_RESERVED):
            if upstream.path.rstrip("/") == taken or upstream.path.startswith(f"{taken}/"):
                what = f"{upstream.path} is under {taken}, which the gateway answers itself"
                yield error(("upstreams", index, "path"), what, "choose another path, or another `prefix`")


@rule("limits.cookies", "limits.header")
def _cookies_fit_the_header(settings: Settings) -> Iterator[Remark]:
    if settings.limits.cookies < LEAST_COOKIES:
        what = "leaves no room for a session beside five login attempts"
        yield error("limits.cookies", what, f"write {LEAST_COOKIES} or more; the default is 7000")
    if settings.limits.cookies >= settings.limits.header:
        what = "the cookies alone may fill `limits.header`, so a browser with them would be answered 431"
        yield error("limits.cookies", what, "make limits.header larger, or limits.cookies smaller")


@rule("session.activity", "session.passive", "prefix")
def _activity(settings: Settings) -> Iterator[Remark]:
    if settings.session.activity == "input":
        script = f"{settings.prefix}/tab.js"
        what = (
            "only navigations, unsafe requests and the input that the tab script reports keep a session alive"
        )
        yield note("session.activity", what, f"load {script} in every page, or set browser.inject_tab_script")
    else:
        what = "every request behind the gate keeps a session alive, also the polling of a forgotten tab"
        if settings.session.passive:
            what = "every request behind the gate keeps a session alive, except under session.passive"
        fix = "list the paths that pages poll in session.passive, or send `X-Auth-Passive: 1` with such requests"
        yield note("session.activity", what, fix)


@rule("provider", "headers")
def _federated_attributes(settings: Settings) -> Iterator[Remark]:
    """Rule R24: no setting can change this, so it has to be known."""
    if PROVIDERS[settings.provider.kind].broker and settings.provider.identity_provider:
        what = (
            "Cognito learns the attributes of users of another provider at sign-in, and does not ask that provider when"
            " it refreshes: what changes there (groups mapped to an attribute, say) counts from the next sign-in on"
        )
        fix = "choose session.absolute as long as a change may wait; to end sessions sooner, revoke them"
        yield note("provider.identity_provider", what, fix)


@rule("provider")
def _auth_time_of_a_broker(settings: Settings) -> Iterator[Remark]:
    """Rule R1: what is believed there decides whether a provider's memory undoes a revocation."""
    provider = settings.provider
    if provider.auth_time_proves and provider.identity_provider:
        what = (
            f"people prove who they are at {provider.identity_provider}, and `auth_time` of one that asks another"
            " provider is mostly the time of its answer, even one from memory: after a revocation it could let in who"
            " was only remembered"
        )
        fix = "take it out, unless you know that the time is that of the sign-in there"
        yield warning("provider.auth_time_proves", what, fix)


RULES = tuple(each for each in list(vars().values()) if isinstance(each, Rule))
