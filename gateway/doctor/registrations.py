"""What to enter at the consoles of the providers, built from the configuration as the gateway builds its own requests.

Providers compare these addresses byte for byte, so they are to be pasted, not typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.app.options import logout_options, relying_party
from gateway.oidc.providers.descriptor import ProviderKind, Registration
from gateway.oidc.providers.registry import HOPS
from gateway.settings.model import Settings
from gateway.web.signout.hops import DONE_PREFIX

_OKTA = "Okta"


def registrations(settings: Settings) -> list[Registration]:
    """Everything that this configuration needs elsewhere, console by console."""
    here, ours = relying_party(settings), f"{settings.public_url}{settings.prefix}"
    why = "where sign-in comes back to; without it the provider shows an error page (redirect_mismatch and the like)"
    origin, pool = str(settings.public_url), urlsplit(here.issuer).path.rpartition("/")[2]
    hops = logout_options(settings).hops
    behind = any(hop.elsewhere for hop in hops) or settings.provider.identity_provider
    found = [
        Registration(here.kind.console, *here.kind.sign_in, f"{ours}/callback", why),
        *(
            each
            for hop in hops
            for each in HOPS[hop.name].registrations(here, origin, f"{origin}{DONE_PREFIX}{hop.name}")
        ),
        *(each.filled(origin=origin, domain=here.domain, pool=pool) for each in here.kind.behind if behind),
        *_inbound(settings, here.kind, ours),
    ]
    return sorted(dict.fromkeys(found), key=lambda each: [r.console for r in found].index(each.console))


def _inbound(settings: Settings, kind: ProviderKind, ours: str) -> Iterator[Registration]:
    inbound = settings.inbound
    if inbound.backchannel and kind.back_channel is not None:
        why = "the provider calls it when somebody signs out there"
        yield Registration(kind.console, *kind.back_channel, f"{ours}/backchannel-logout", why)
    if inbound.frontchannel and kind.front_channel is not None:
        why = "the provider opens it in a frame when somebody signs out there; with session required, for iss and sid"
        yield Registration(kind.console, *kind.front_channel, f"{ours}/frontchannel-logout", why)
    if inbound.universal_logout is not None:
        screen = "Applications > your app > General > Logout > Okta system or admin initiates logout"
        why = "Okta calls it for Universal Logout; subject format e-mail, or issuer and subject"
        yield Registration(_OKTA, screen, "Logout Endpoint URL", f"{ours}/global-token-revocation", why)
    if inbound.security_events is not None and inbound.security_events.poll_endpoint is None:
        why = "the transmitter pushes its security event tokens there (RFC 8935)"
        transmitter = urlsplit(inbound.security_events.issuer).hostname or _OKTA
        yield Registration(transmitter, "the SSF stream", "endpoint_url", f"{ours}/security-events", why)
    if inbound.okta_event_hook is not None:
        screen = "Workflow > Event Hooks > Create Event Hook, events user.session.end and user.session.clear"
        why = "Okta posts events there, with the secret in Authorization"
        yield Registration(_OKTA, screen, "URL", f"{ours}/okta-events", why)
