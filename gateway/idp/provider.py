"""The identity provider, as the rest of the gateway sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TypeVar

from gateway.core import dice
from gateway.core.errors import ProviderError
from gateway.idp.discovery import Discovery
from gateway.idp.link import OnCall, ProviderLink
from gateway.idp.remote_keys import checked
from gateway.idp.transport import DIRECTLY, TIMEOUT, Transport
from gateway.idp.way import ProviderWay
from gateway.oidc.jose.signed_token import has_signed
from gateway.oidc.providers.registry import PROVIDERS
from gateway.oidc.signin.authorization import AuthorizationCode, authorization_url
from gateway.oidc.signin.id_token import ID_TOKEN, Expected, IdTokenClaims, verify_id_token
from gateway.oidc.signin.metadata import Endpoints, ProviderMetadata, endpoints_on
from gateway.oidc.signin.tokens import (
    Client,
    ClientAuthentication,
    TokenSet,
    check_revocation,
    code_request,
    parse_tokens,
    refresh_request,
    revocation_request,
)
from gateway.oidc.signout.logout_token import LogoutToken, verify_logout_token
from gateway.oidc.wire import ProviderRequest, ProviderResponse
from gateway.telemetry.log import get_logger

T = TypeVar("T")
_log = get_logger("idp")
REVOKE_TIMEOUT = 2.0
"""Seconds for one try to revoke a token, and for a hop to learn one thing that it has to know: the browser waits."""


class Revocation(Enum):
    """What the provider made of a refresh token that it was asked to revoke (RFC 7009)."""

    CONFIRMED = "revoked"
    REFUSED = "refused"
    """It will say the same next time."""
    UNSUPPORTED = "no_endpoint"
    """It has no address for it."""
    UNANSWERED = "unanswered"
    """It may do so next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """The ``provider`` section of the configuration.

    :ivar domain: origin of Cognito's hosted UI.
    :ivar other_client_secret: tried where the provider does not take the one that it took last.
    :ivar client_authentication: how to prove ourselves; None: as the metadata says.
    :ivar identity_provider: federated provider to go to at once, without the picker.
    :ivar auth_time_proves: what the operator says of ``auth_time``; None: what is known of the kind.
    :ivar resolve: host name to address, as ``curl --resolve``.
    :ivar way: through which proxy, if any. :ivar timeout: seconds for one exchange.
    """

    kind: str
    issuer: str
    client_id: str
    domain: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    other_client_secret: str | None = field(default=None, repr=False)
    client_authentication: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    identity_provider: str | None = None
    auth_time_proves: bool | None = None
    ca_file: str | Path | None = None
    resolve: Mapping[str, str] = field(default_factory=dict)
    way: ProviderWay = DIRECTLY
    timeout: float = TIMEOUT


class IdentityProvider:
    """Signs users in and revokes their tokens. Works as far as it can while the provider is away.

    :param on_call: told of every exchange; see `ProviderLink`.
    :raises ConfigurationError: an option cannot be used.
    """

    def __init__(
        self,
        options: ProviderOptions,
        *,
        on_call: OnCall | None = None,
        jitter: Callable[[], float] = dice.fraction,
    ) -> None:
        self.options = options
        self.kind = PROVIDERS[options.kind]
        self._fixed = endpoints_on(options.domain, self.kind.paths)
        self._secrets = (options.client_secret, options.other_client_secret)
        self._taken = 0
        self._refusal: ProviderError | None = None
        transport = Transport(
            ca_file=options.ca_file, resolve=options.resolve, way=options.way, timeout=options.timeout
        )
        self._link = ProviderLink(transport, on_call)
        self._discovery = Discovery(self._link, options.issuer, jitter=jitter)

    def replace_secret(self, secret: str, *, other: bool = False) -> None:
        """Have another client secret from now on, or another `other_client_secret`."""
        self._refusal = None
        self._secrets = (self._secrets[0], secret) if other else (secret, self._secrets[1])

    async def start(self) -> None:
        """Begin to fetch metadata and keys in the background. Never waits for the provider (pain P18)."""
        self._discovery.start()

    async def close(self) -> None:
        """End the background work and close the connections."""
        await self._discovery.close()
        await self._link.close()

    @property
    def issuer(self) -> str:
        """The configured issuer: the one whose tokens are accepted."""
        return self.options.issuer

    @property
    def up(self) -> bool:
        """Whether metadata and keys are there and the last exchange went well."""
        return self._discovery.complete and self._link.fault is None

    def health(self) -> str:
        """One line for people: up, or what is wrong and what still works."""
        fault = self._link.fault
        if fault is None:
            return "up" if self._discovery.complete else "not reached yet"
        still = "with the keys fetched before" if self._discovery.complete else "nobody can sign in yet"
        return f"down ({fault}); {still}"

    def client_health(self) -> str:
        """One line for people about the client and its secret; empty where nothing is known against them."""
        if self._refusal is not None:
            return f"refused by the provider, so nobody can sign in ({self._refusal}); {self._refusal.fix}"
        none = "there is none; a client that has one at the provider is refused at every sign-in"
        return "" if any(self._secrets) else none

    @property
    def metadata(self) -> ProviderMetadata | None:
        """The provider's metadata, if it has ever been fetched."""
        return self._discovery.known_metadata

    @property
    def iss_required(self) -> bool:
        """Whether the provider promises ``iss`` in authorization responses (RFC 9207)."""
        return self.metadata is not None and self.metadata.iss_required

    @property
    def auth_time_proves(self) -> bool:
        """Whether ``auth_time`` is when the person proved who they are."""
        return self.kind.proves(self.options.auth_time_proves, self.options.identity_provider)

    async def authorization_url(
        self,
        *,
        state: str,
        nonce: str,
        code_challenge: str,
        redirect_uri: str,
        prompt: str = "",
        max_age: int | None = None,
    ) -> str:
        """Where the browser begins to sign in.

        :param prompt: empty for none. :param max_age: seconds; sent where the kind is known to take it.
        :raises ProviderError: the endpoint is not known and the provider cannot be asked.
        """
        extra = []
        if prompt == "select_account" and not self.kind.chooses_account:
            prompt = "login"
        if prompt:
            extra.append(("prompt", self.kind.prompts.get(prompt, prompt)))
        if max_age is not None and self.kind.max_age:
            extra.append(("max_age", str(max_age)))
        if self.options.identity_provider and self.kind.provider_hint:
            extra.append((self.kind.provider_hint, self.options.identity_provider))
        return authorization_url(
            (await self._endpoints()).authorization,
            client_id=self.options.client_id,
            redirect_uri=redirect_uri,
            scopes=self.options.scopes,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            extra=extra,
        )

    async def redeem(self, code: AuthorizationCode, *, code_verifier: str, redirect_uri: str) -> TokenSet:
        """The tokens for ``code``. Sent once, but that whoever does not know the client has not spent it.

        :raises ProviderError: see `parse_tokens`; ``provider_unreachable``.
        """
        endpoint = (await self._endpoints()).token
        return await self._as_client(
            "token",
            lambda client: code_request(
                endpoint, client, code, code_verifier=code_verifier, redirect_uri=redirect_uri
            ),
            partial(parse_tokens, id_token_required=True),
        )

    async def refresh(self, refresh_token: str) -> TokenSet:
        """Fresh tokens. Only ``invalid_grant`` means that the session is over (rule R10).

        :raises ProviderError: see `parse_tokens`; ``provider_unreachable``.
        """
        try:
            endpoint = (await self._endpoints()).token
        except ProviderError as error:
            error.acted = False
            raise
        return await self._as_client(
            "refresh",
            lambda client: refresh_request(endpoint, client, refresh_token),
            partial(parse_tokens, id_token_required=False),
        )

    async def verify_id_token(
        self, token: str, *, nonce: str | None, now: int, access_token: str | None = None
    ) -> IdTokenClaims:
        """The claims of ``token``; an unknown key id fetches the keys again, at most once in 30 s.

        :param nonce: the one sent with the authorization request; None at refresh.
        :param access_token: the access token that came with it, compared with ``at_hash`` where that is
            present.
        :param now: UTC seconds.
        :raises ProviderError: ``token_rejected``, ``unknown_key``, or the keys cannot be had.
        """
        expected = Expected(
            issuer=self.options.issuer,
            client_id=self.options.client_id,
            nonce=nonce,
            token_kind=self.kind.token_kind,
            access_token=access_token,
        )
        return await checked(
            self._discovery.keys,
            lambda keys: verify_id_token(token, keys=keys, expected=expected, now=now),
        )

    async def verify_logout_token(self, token: str, *, now: int) -> LogoutToken:
        """What ``token`` says has ended; an unknown key id fetches the keys again, at most once in 30 s.

        :param now: UTC seconds.
        :raises ProviderError: ``token_rejected``, ``unknown_key`` (retryable where no fetch was due), or the keys
            cannot be had.
        """
        issuer, client_id = self.options.issuer, self.options.client_id
        return await checked(
            self._discovery.keys,
            lambda keys: verify_logout_token(token, keys=keys, issuer=issuer, client_id=client_id, now=now),
        )

    async def revoke(self, refresh_token: str) -> Revocation:
        """Have ``refresh_token`` be dead from now on. Never raises, takes 2 s at most, and is harmless twice."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REVOKE_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                endpoint = (await self._endpoints()).revocation
            if endpoint is None:
                return Revocation.UNSUPPORTED
            await self._as_client(
                "revocation",
                lambda client: revocation_request(endpoint, client, refresh_token),
                check_revocation,
                deadline=deadline,
            )
        except TimeoutError:
            return Revocation.UNANSWERED
        except ProviderError as error:
            return Revocation.UNANSWERED if error.retryable else Revocation.REFUSED
        return Revocation.CONFIRMED

    async def publishes_key_of(self, id_token: str) -> bool | None:
        """Whether the provider's keys, read within the last 30 s, have the one that signed a token it gave us once.

        Never raises, and takes 2 s at most; None where the keys cannot be read.
        """
        try:
            async with asyncio.timeout(REVOKE_TIMEOUT):
                keys = await self._discovery.keys.latest()
        except (ProviderError, TimeoutError):
            return None
        return None if keys is None else has_signed(keys, id_token, ID_TOKEN)

    async def end_session(self) -> str | None:
        """Where the provider signs browsers out; None where it says of no such address, or cannot be asked within 2 s.

        Never raises. `metadata` tells the one from the other.
        """
        try:
            async with asyncio.timeout(REVOKE_TIMEOUT):
                return (await self._discovery.metadata()).end_session
        except (ProviderError, TimeoutError):
            return None

    async def _endpoints(self) -> Endpoints:
        return self._fixed or (await self._discovery.metadata()).endpoints

    async def _as_client(
        self,
        endpoint: str,
        made: Callable[[Client], ProviderRequest],
        parse: Callable[[ProviderResponse], T],
        *,
        deadline: float | None = None,
    ) -> T:
        """The answer to what is ``made`` for our client; with its other secret where the provider does not take the
        one, and with that one from then on if it takes it.

        :param deadline: of the event loop's clock, if not the usual.
        """
        offered = self.metadata.authentication if self.metadata else ()
        how = ClientAuthentication.chosen(self.options.client_authentication, offered)

        async def asked(which: int) -> T:
            request = made(Client(self.options.client_id, self._secrets[which], how))
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            return await self._link.exchange(endpoint, request, parse, timeout=left)

        try:
            return await self._by_one_of_both(asked)
        except ProviderError as error:
            self._note(error)
            raise

    async def _by_one_of_both(self, asked: Callable[[int], Awaitable[T]]) -> T:
        one, other = self._taken, 1 - self._taken
        try:
            answer = await asked(one)
            self._refusal = None
            return answer
        except ProviderError as error:
            if error.code != "invalid_client" or self._secrets[other] is None:
                raise
        try:
            answer = await asked(other)
        except ProviderError as error:
            if error.code != "invalid_client" and not error.retryable:
                self._take(other)
            raise
        self._take(other)
        return answer

    def _note(self, error: ProviderError) -> None:
        """What an error says of the client. A refusal is told once, until the client is taken again."""
        if error.code == "invalid_client":
            if self._refusal is None:
                _log.warning("client_refused", reason=error.code, detail=error.detail, fix=error.fix)
            self._refusal = error
        elif error.code == "invalid_grant":
            self._refusal = None

    def _take(self, which: int) -> None:
        self._refusal = None
        if which != self._taken:
            name = ("client_secret", "other_client_secret")[which]
            _log.warning(
                "client_secret_changed",
                used=f"provider.{name}",
                fix="remove the one that is not taken any more",
            )
        self._taken = which
