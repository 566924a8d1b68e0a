"""What a browser has to do to end its session at the provider: one small class per way, all from configuration.

No URL of the request ever enters here (rule: named targets only), and return addresses are constant, because Cognito
and OpenID providers compare them byte for byte. What proves a return travels in ``state`` where a provider hands it
back. An ID token stands in an address, since a form is a POST from another site, which leaves the provider's Lax
cookies behind; a form is for providers that are known to end their session by it (``sign_outs.py``), or where the
operator wants it. A hint whose key the provider has withdrawn strands the browser wherever it is sent, and none
strands it where one is asked for: so the one goes nowhere, and a second try has the hint as well, unless the provider
is known to do without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from gateway.core.signout.evidence import Asked as How
from gateway.core.signout.evidence import Evidence
from gateway.oidc.signin.providers import origin
from gateway.oidc.signout.sign_outs import ID_TOKEN, FormUse, Without
from gateway.oidc.urls import with_query

LONGEST = 4_096
"""Bytes of an address that servers and what stands before them can be relied on to take."""
PLACEHOLDERS = ("return_to", "client_id", "state")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_UNNAMED: Mapping[How, Evidence] = {
    How.NO_HINT: Evidence.NO_HINT,
    How.HINT_WITHDRAWN: Evidence.HINT_WITHDRAWN,
    How.HINT_TOO_LONG: Evidence.HINT_TOO_LONG,
}
"""Why a provider that ends nothing without the hint is not asked."""


@dataclass(frozen=True, slots=True)
class HopRequest:
    """What a hop has to work with.

    :ivar return_to: our own address, as registered. :ivar state: what only this chain's return from this hop carries.
    :ivar hint: what names the session at the provider; None when the browser has none.
    :ivar published: whether the provider's keys have the one that signed the hint; None: not known, or no token.
    :ivar again: this was tried before, and the browser did not come back.
    :ivar end_session: the provider's ``end_session_endpoint``; None where it has none, or is not known.
    :ivar reached: whether the provider has been asked for its endpoints.
    """

    return_to: str
    state: str = ""
    hint: str | None = field(default=None, repr=False)
    published: bool | None = None
    again: bool = False
    end_session: str | None = None
    reached: bool = True

    def named(self, without: Without) -> tuple[str | None, How]:
        """The hint to send, if any, and as which the receipt knows that.

        Where nobody knows what the provider does without one, the hint was not to blame as long as its key is there;
        where that cannot be looked at, of the two tries one is with it and one without.

        :param without: what it does then.
        """
        if self.hint is None:
            return None, How.NO_HINT
        if self.published is False:
            return None, How.HINT_WITHDRAWN
        lax = without is Without.ASKED or (without is Without.UNCERTAIN and self.published is None)
        return (None, How.AGAIN) if self.again and lax else (self.hint, How.HINT)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser there; ``how`` the provider is asked by it."""

    url: str = field(repr=False)
    how: How = How.PLAINLY


@dataclass(frozen=True, slots=True)
class Form:
    """Have the browser post ``fields`` to ``url``."""

    url: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    how: How = How.PLAINLY


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be asked of the browser; ``why`` not."""

    why: Evidence


Act = Redirect | Form | Skip


class Way(Protocol):
    """How a hop is reached."""

    def act(self, asked: HopRequest) -> Act: ...


@dataclass(frozen=True, slots=True)
class CognitoSignout:
    """Cognito's own ``/logout``: it takes ``client_id`` and ``logout_uri`` and ignores OIDC's parameters.

    :ivar domain: origin of the hosted UI.
    """

    domain: str
    client_id: str

    def url(self, return_to: str) -> str:
        """The hop. ``return_to`` must be an allowed sign-out URL of the client, equal to the last byte.

        :raises ConfigurationError: the domain is not an https origin.
        """
        base = origin(self.domain, "provider.domain")
        return with_query(f"{base}/logout", [("client_id", self.client_id), ("logout_uri", return_to)])

    def act(self, asked: HopRequest) -> Redirect:
        return Redirect(self.url(asked.return_to))


@dataclass(frozen=True, slots=True)
class OktaSignout:
    """Okta's ``/login/signout``: ends the browser's Okta session, no token needed.

    :ivar org: origin of the Okta organisation, or its custom domain.
    """

    org: str

    def url(self, return_to: str) -> str:
        """The hop. The origin of ``return_to`` must be a Trusted Origin with Redirect, or the browser stays
        at Okta.

        :raises ConfigurationError: the organisation is not an https origin.
        """
        base = origin(self.org, "logout.chain okta_signout")
        return with_query(f"{base}/login/signout", [("fromURI", return_to)])

    def act(self, asked: HopRequest) -> Redirect:
        return Redirect(self.url(asked.return_to))


@dataclass(frozen=True, slots=True)
class OidcLogout:
    """OpenID Connect RP-Initiated Logout 1.0 §2: Okta, Keycloak, and any other provider that follows it.

    :ivar service: what people call it. :ivar derived: the endpoint where discovery names none, or was not reached.
    :ivar form: when it is asked by a form.
    :ivar without: what becomes of a browser without the hint.
    """

    service: str
    client_id: str
    form: FormUse = FormUse.NEVER
    without: Without = Without.UNCERTAIN
    derived: str | None = None

    def act(self, asked: HopRequest) -> Act:
        endpoint = asked.end_session or self.derived
        if endpoint is None:
            return Skip(no_endpoint(reached=asked.reached))
        hint, how = asked.named(self.without)
        if hint is None:
            return self._unnamed(endpoint, asked, how)
        hinted = self._address(endpoint, asked, how, hint)
        long = len(hinted.url) > LONGEST
        # Nobody but the operator says that such a provider takes a form: what has led nowhere is not tried twice.
        form = self.form is FormUse.ALWAYS and not (asked.again and self.without is Without.UNCERTAIN)
        if form or (self.form is FormUse.LONG and long):
            return Form(endpoint, self._parameters(asked, hint), how)
        return self._unnamed(endpoint, asked, How.HINT_TOO_LONG) if long else hinted

    def _unnamed(self, endpoint: str, asked: HopRequest, how: How) -> Act:
        if self.without is Without.STRANDED:
            return Skip(_UNNAMED[how])
        return self._address(endpoint, asked, how)

    def _address(self, endpoint: str, asked: HopRequest, how: How, hint: str | None = None) -> Redirect:
        return Redirect(with_query(endpoint, self._parameters(asked, hint)), how)

    def _parameters(self, asked: HopRequest, hint: str | None) -> tuple[tuple[str, str], ...]:
        """``client_id`` beside the hint too: it says whose return address it is where the hint is not understood."""
        return (
            *([("id_token_hint", hint)] if hint is not None else []),
            ("client_id", self.client_id),
            ("post_logout_redirect_uri", asked.return_to),
            ("state", asked.state),
        )


@dataclass(frozen=True, slots=True)
class EntraLogout:
    """Microsoft Entra ID: the hint is the ``login_hint`` claim; without it Microsoft asks which account to sign out.

    :ivar issuer: with its tenant, as ``https://login.microsoftonline.com/TENANT/v2.0``.
    """

    issuer: str

    @property
    def derived(self) -> str:
        """The endpoint as Microsoft documents it, should discovery not be reached."""
        return f"{self.issuer.removesuffix('/').removesuffix('/v2.0')}/oauth2/v2.0/logout"

    def act(self, asked: HopRequest) -> Redirect:
        more = [("post_logout_redirect_uri", asked.return_to), ("state", asked.state)]
        return _with_logout_hint(asked.end_session or self.derived, asked, more)


@dataclass(frozen=True, slots=True)
class Auth0Logout:
    """Auth0's ``/oidc/logout``: the hint is the ``sid`` claim, which is no token and may stand in an address.

    :ivar issuer: ``https://TENANT.auth0.com/``, with its slash.
    :ivar federated: sign out of the provider behind Auth0 too.
    """

    issuer: str
    client_id: str
    federated: bool = False

    @property
    def derived(self) -> str:
        """The endpoint as Auth0 documents it, where discovery does not name it."""
        return f"{self.issuer.removesuffix('/')}/oidc/logout"

    def act(self, asked: HopRequest) -> Redirect:
        endpoint = asked.end_session or self.derived
        parameters = [
            ("client_id", self.client_id),
            ("post_logout_redirect_uri", asked.return_to),
            ("state", asked.state),
            *([("federated", "")] if self.federated else []),
        ]
        return _with_logout_hint(endpoint, asked, parameters)


@dataclass(frozen=True, slots=True)
class LocalOnly:
    """A provider that signs nobody out on behalf of an application, such as Google."""

    def act(self, asked: HopRequest) -> Skip:
        return Skip(Evidence.NO_ENDPOINT)


@dataclass(frozen=True, slots=True)
class AddressTemplate:
    """An address from the configuration, with ``{return_to}``, ``{client_id}`` and ``{state}`` filled in, encoded."""

    template: str
    client_id: str

    @property
    def echoes_state(self) -> bool:
        """Whether the provider is expected to hand ``state`` back."""
        return "state" in placeholders(self.template)

    def act(self, asked: HopRequest) -> Redirect:
        given = {"return_to": asked.return_to, "client_id": self.client_id, "state": asked.state}
        return Redirect(_PLACEHOLDER.sub(lambda found: quote(given[found[1]], safe=""), self.template))


def _with_logout_hint(endpoint: str, asked: HopRequest, parameters: list[tuple[str, str]]) -> Redirect:
    """A hint that is no token, in front of the other parameters where there is one that fits."""
    hint, how = asked.named(Without.ASKED)
    if hint is None:
        return Redirect(with_query(endpoint, parameters), how)
    hinted = with_query(endpoint, [("logout_hint", hint), *parameters])
    if len(hinted) > LONGEST:
        return Redirect(with_query(endpoint, parameters), How.HINT_TOO_LONG)
    return Redirect(hinted, how)


def placeholders(template: str) -> tuple[str, ...]:
    """The names in braces, as they come."""
    return tuple(_PLACEHOLDER.findall(template))


def no_endpoint(*, reached: bool) -> Evidence:
    """Why a provider without an address for it cannot be asked to end its session."""
    return Evidence.NO_ENDPOINT if reached else Evidence.ENDPOINT_UNKNOWN


def hint_in(claims: Mapping[str, object], id_token: str, wanted: str) -> str | None:
    """What names a sign-in to its provider later.

    :param claims: of ``id_token``, verified. :param wanted: `ID_TOKEN`, or the name of a claim.
    """
    if wanted == ID_TOKEN:
        return id_token
    value = claims.get(wanted)
    return value if isinstance(value, str) and value else None
