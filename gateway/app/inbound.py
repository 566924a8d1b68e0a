"""Whoever ends sessions from outside without being the provider itself: Universal Logout, shared signals, event hooks.

Each has its own issuer, keys and addresses; what they share is made here, once for a replica, from ``inbound`` in the
configuration. What is not configured is not there.
"""

from __future__ import annotations

from typing import Any

from gateway.app import reload
from gateway.app.options import transport
from gateway.app.reload import Watched
from gateway.idp.link import OnCall, ProviderLink
from gateway.idp.poll import TURN, Poller
from gateway.idp.remote_keys import KeysAtHand, KeySource, RemoteKeys, keys_at
from gateway.oidc.events.security_event import Transmitter
from gateway.oidc.events.subject_ids import Namespace
from gateway.oidc.signout.universal_logout import Caller
from gateway.settings.model import Settings
from gateway.settings.secret_files import revealed
from gateway.settings.session_sections import (
    OktaEventHookSection,
    SecurityEventsSection,
    UniversalLogoutSection,
)
from gateway.state.contract.log import RevocationLog
from gateway.state.contract.refreshes import Refreshes
from gateway.state.contract.turns import Turn
from gateway.web.door.table import Methods
from gateway.web.endpoints.inbound.okta_events import OktaEvents
from gateway.web.endpoints.inbound.security_events import SecurityEvents
from gateway.web.endpoints.inbound.universal_logout import UniversalLogout
from gateway.web.signout.inbound import Inbound


class InboundEndpoints:
    """The ways in of others.

    :param on_call: told of every exchange with them.
    :ivar paths: what answers at which path. :ivar watched: files of theirs that are taken in anew.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        inbound: Inbound,
        log: RevocationLog,
        refreshes: Refreshes,
        on_call: OnCall,
    ) -> None:
        self._settings = settings
        self._inbound = inbound
        self._log = log
        asked = settings.inbound
        self._refreshes = refreshes
        self._on_call = on_call
        self._transport = transport(settings)
        self._link = ProviderLink(self._transport, on_call)
        self._poller: Poller | None = None
        self._fetched: list[RemoteKeys] = []
        self.paths: dict[str, Methods] = {}
        self.watched: list[Watched[Any, Any]] = []
        if asked.universal_logout is not None:
            self._open_universal_logout(asked.universal_logout)
        if asked.security_events is not None:
            self._open_security_events(asked.security_events)
        if asked.okta_event_hook is not None:
            self._open_event_hook(asked.okta_event_hook)

    def start(self) -> None:
        """Begin to fetch what is fetched. Returns at once."""
        if self._poller is not None:
            self._poller.start()

    def health(self) -> dict[str, str]:
        """One line for people about what is fetched."""
        return {} if self._poller is None else {"security_events": self._poller.health()}

    async def close(self) -> None:
        """End what is under way."""
        if self._poller is not None:
            await self._poller.close()
        for keys in self._fetched:
            await keys.close()
        await self._link.close()

    def _open_universal_logout(self, asked: UniversalLogoutSection) -> None:
        path = f"{self._settings.prefix}/global-token-revocation"
        endpoint = UniversalLogout(
            caller=Caller(asked.issuer, asked.subject, f"{self._settings.public_url}{path}"),
            namespace=self._namespace(asked.issuer),
            keys=self._application_keys(asked),
            inbound=self._inbound,
            log=self._log,
        )
        self.paths[path] = {"POST": endpoint}

    def _open_security_events(self, asked: SecurityEventsSection) -> None:
        endpoint = SecurityEvents(
            transmitter=Transmitter(asked.issuer, asked.audience),
            namespace=self._namespace(asked.issuer),
            keys=self._keys_at(asked.jwks_uri),
            ending=frozenset(asked.events),
            secret=revealed(asked.secret),
            inbound=self._inbound,
        )
        secret = reload.secret("security events secret", asked.secret_file)
        self._follow(secret, endpoint)
        if asked.poll_endpoint is not None:
            self._poller = self._made_poller(asked, asked.poll_endpoint, endpoint)
        self.paths[f"{self._settings.prefix}/security-events"] = {"POST": endpoint}

    def _made_poller(self, asked: SecurityEventsSection, address: str, endpoint: SecurityEvents) -> Poller:
        poller = Poller(
            ProviderLink(self._transport, self._on_call),
            address,
            revealed(asked.token) or "",
            receive=endpoint.receive,
            turn=Turn(self._refreshes, f"poll:{address}", TURN),
        )
        token = reload.secret("security events token", asked.token_file)
        if token is not None:
            token.first()
            token.follow(poller.replace_token)
            self.watched.append(token)
        return poller

    def _open_event_hook(self, asked: OktaEventHookSection) -> None:
        endpoint = OktaEvents(
            secret=revealed(asked.secret) or "",
            namespace=None if asked.issuer is None else self._namespace(asked.issuer),
            by_users=asked.session_end == "user",
            inbound=self._inbound,
        )
        self._follow(reload.secret("event hook secret", asked.secret_file), endpoint)
        path = f"{self._settings.prefix}/okta-events"
        self.paths[path] = {"GET": endpoint.verify, "POST": endpoint.deliver}

    def _application_keys(self, asked: UniversalLogoutSection) -> KeySource:
        if asked.certificate_file is None:
            return self._keys_at(asked.jwks_uri or "")
        certificate = reload.application_certificate(asked.certificate_file)
        keys = KeysAtHand(certificate.first())
        certificate.follow(keys.replace)
        self.watched.append(certificate)
        return keys

    def _keys_at(self, uri: str) -> RemoteKeys:
        keys = keys_at(uri, self._link)
        self._fetched.append(keys)
        return keys

    def _follow(self, secret: Watched[str, str] | None, endpoint: SecurityEvents | OktaEvents) -> None:
        if secret is None:
            return

        def replace(text: str) -> None:
            endpoint.secret = text

        secret.first()
        secret.follow(replace)
        self.watched.append(secret)

    def _namespace(self, issuer: str) -> Namespace:
        provider = self._settings.provider
        return Namespace(issuer, provider.linked_providers.get(issuer), sessions=issuer == provider.issuer)
