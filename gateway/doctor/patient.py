"""What the checks look at: the configuration, what its provider says of itself, and how to look at more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.app.options import logout_options, relying_party, transport
from gateway.core import clock
from gateway.core.errors import ConfigurationError, ProviderError
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.doctor.probe import Probe
from gateway.doctor.served import Served
from gateway.doctor.verdict import Observation, unknown
from gateway.oidc.jose.jwks import KeySet, parse_key_set
from gateway.oidc.signin.metadata import ProviderMetadata, metadata_request, parse_metadata
from gateway.oidc.signout.logout import Act, Hop, HopRequest, Redirect
from gateway.oidc.wire import document, get
from gateway.settings.model import Settings
from gateway.settings.secret_files import read_text
from gateway.web.signout.hops import DONE_PREFIX

STATE = "gateway-doctor"
"""What stands for a state or a nonce: no sign-in and no sign-out has it."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """What the provider says of itself, read as the gateway reads it.

    :ivar document: the metadata as it was served, for what the gateway does not use.
    :ivar fault: why there is no metadata. :ivar keys_fault: why there are no keys.
    :ivar date: the ``Date`` header. :ivar asked: when it was asked for, in UTC seconds. :ivar received: when it came.
    """

    url: str = ""
    document: dict[str, object] = field(default_factory=dict)
    metadata: ProviderMetadata | None = None
    fault: ProviderError | ConfigurationError | None = None
    keys: KeySet | None = None
    keys_fault: ProviderError | None = None
    date: str = ""
    asked: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One deployment.

    :ivar live: whether the providers may be asked more than the gateway asks. :ivar probe: reaches the providers.
    :ivar served: what the upstreams answer at their roots.
    :ivar front: where browsers come to a proxy that asks the gateway, to walk through it; empty when not given.
    :ivar saml_metadata: URL of the SAML metadata of the provider behind Cognito; empty when not given.
    """

    settings: Settings
    discovered: Discovered
    probe: Probe
    served: tuple[Served, ...] = ()
    live: bool = False
    saml_metadata: str = ""
    front: str = ""

    def hop(self, name: str) -> Hop | None:
        """A hop of the configured chain, exactly as the gateway walks it."""
        return next((hop for hop in logout_options(self.settings).hops if hop.name == name), None)

    def return_address(self, hop: Hop) -> str:
        """Where the browser comes back to, with a made-up nonce where there is one."""
        return f"{self.settings.public_url}{DONE_PREFIX}{hop.name}" + (f"/{STATE}" if hop.nonced else "")

    def url(self, hop: Hop, back: str | None = None) -> str:
        """Where that hop sends a browser, to come to ``back``; empty where it does not by a redirect."""
        act = self.act(hop, back)
        return act.url if isinstance(act, Redirect) else ""

    def act(self, hop: Hop, back: str | None = None) -> Act:
        """What a browser without a hint has to do at ``hop`` to end its session and come to ``back``, or here."""
        metadata, back = self.discovered.metadata, back or self.return_address(hop)
        end_session = metadata.end_session if metadata else None
        return hop.way.act(HopRequest(back, STATE, end_session=end_session, reached=metadata is not None))

    def note(self, check: str) -> Observation | None:
        """What is known of this kind of provider and nobody can see from outside, for that check."""
        here, minutes = relying_party(self.settings), int(self.settings.session.absolute) // 60
        absolute = f"{minutes // 60} h" if minutes % 60 == 0 and minutes else f"{minutes} min"
        found = next((note for note in here.kind.notes if note.check == check), None)
        if found is None:
            return None
        looked_at = found.looked_at.format(domain=here.domain)
        return unknown(looked_at, found.what.format(absolute=absolute), found.fix)

    def ring(self) -> KeyRing | None:
        """The session keys; None where they cannot be read."""
        try:
            keys = [SealingKey.parse(read_text(file)) for file in self.settings.session.key_files]
        except (ConfigurationError, ValueError):
            return None
        return KeyRing(keys, now=clock.now())

    @property
    def deployment(self) -> Deployment:
        """What its cookies are sealed for."""
        provider = self.settings.provider
        return Deployment(self.settings.public_url, provider.issuer, provider.client_id)

    @property
    def callback(self) -> str:
        return f"{self.settings.public_url}{self.settings.prefix}/callback"


def ahead(theirs: int, asked: int, received: int) -> int:
    """Seconds by which our clock is ahead of another one, negative where it is behind.

    :param theirs: what that one said at some time between the two of ours; how long the answer took is no difference.
    """
    return max(0, asked - theirs) + min(0, received - theirs)


async def ask_provider(settings: Settings, *, now: Callable[[], int]) -> Discovered:
    """Metadata and keys, by the very requests that the gateway makes. Never raises."""
    provider = settings.provider
    try:
        link = transport(settings)
        request = metadata_request(provider.issuer)
    except ConfigurationError as error:
        return Discovered(fault=error)
    try:
        asked = now()
        answer = await link.send(request)
        date, received = answer.headers.get("date", ""), now()
        found = document(answer, "provider metadata")
        try:
            metadata = parse_metadata(answer, issuer=provider.issuer)
        except ProviderError as error:
            return Discovered(request.url, found, fault=error, date=date, asked=asked, received=received)
        try:
            keys = parse_key_set(await link.send(get(metadata.jwks_uri)))
        except ProviderError as error:
            return Discovered(
                request.url, found, metadata, keys_fault=error, date=date, asked=asked, received=received
            )
        return Discovered(request.url, found, metadata, keys=keys, date=date, asked=asked, received=received)
    except ProviderError as error:
        return Discovered(request.url, fault=error)
    finally:
        await link.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round
