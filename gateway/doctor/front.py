"""A proxy in front that asks the gateway (forward-auth): what it keeps from working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation, failed, ok, unknown
from gateway.state import policy_files

_TIMEOUTS = {
    "nginx": "proxy_read_timeout",
    "traefik": "respondingTimeouts and the idle timeouts of its transport",
    "caddy": "stream_timeout of reverse_proxy",
    "envoy": "the route's timeout and max_stream_duration",
    "haproxy": "timeout tunnel",
    "apisix": "the upstream's timeout.read",
    "nginx-gateway-fabric": "proxy_read_timeout",
}


@check("forward-auth", "What does the proxy in front not pass on?")
async def forward_auth(patient: Patient) -> AsyncIterator[Observation]:
    settings = patient.settings
    asked = settings.forward_auth
    if asked is None:
        return
    where = f"{settings.prefix}/auth"
    if not settings.trusted_proxies:
        what = "nobody is trusted to ask, so every question is answered 403"
        yield failed(where, what, "list the proxy's address in trusted_proxies")
    what = (
        "the check answers without cookies, because a proxy passes on at most one of them: sessions"
        " are neither renewed nor"
        " refreshed there"
    )
    yield ok(where, what)
    for kind in dict.fromkeys(caller.caller for caller in asked.asking):
        what = (
            f"connections that are open at a sign-out are {kind}'s, and live until it ends them"
            f" ({_TIMEOUTS[kind]}); whether it is set up as its recipe is shows `gateway doctor --forward-auth URL`"
        )
        fix = "set that timeout as short as people may go on reading; docs/forward-auth.md has the recipe"
        yield unknown(where, what, fix)
    if "client" in policy_files.load(settings.policies, Path.cwd()).mentions:
        what = (
            "policies ask for the client's address (context.client): a question that does not say it is refused"
            " (policy_error)"
        )
        fix = (
            f"have the proxy write {settings.client_ip_header} into its question, as its recipe does;"
            " `client_unknown` in the gateway's log says when it does not"
        )
        yield unknown(where, what, fix)


CHECKS = (forward_auth,)
