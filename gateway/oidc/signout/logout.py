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

from gateway.core.signout.evidence import Asked, Evidence
from gateway.oidc.signout.sign_outs import ID_TOKEN, FormUse, Proof, SignOut, Without
from gateway.oidc.urls import with_query

LONGEST = 4_096
"""Bytes of an address that servers and what stands before them can be relied on to take."""
PLACEHOLDERS = ("return_to", "client_id", "state")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_UNNAMED: Mapping[Asked, Evidence] = {
    Asked.NO_HINT: Evidence.NO_HINT,
    Asked.HINT_WITHDRAWN: Evidence.HINT_WITHDRAWN,
    Asked.HINT_TOO_LONG: Evidence.HINT_TOO_LONG,
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

    def named(self, without: Without) -> tuple[str | None, Asked]:
        """The hint to send, if any, and as which the receipt knows that.

        Where nobody knows what the provider does without one, the hint was not to blame as long as its key is there;
        where that cannot be looked at, of the two tries one is with it and one without.

        :param without: what it does then.
        """
        if self.hint is None:
            return None, Asked.NO_HINT
        if self.published is False:
            return None, Asked.HINT_WITHDRAWN
        lax = without is Without.ASKED or (without is Without.UNCERTAIN and self.published is None)
        return (None, Asked.AGAIN) if self.again and lax else (self.hint, Asked.HINT)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser there; ``how`` the provider is asked by it."""

    url: str = field(repr=False)
    how: Asked = Asked.PLAINLY


@dataclass(frozen=True, slots=True)
class Form:
    """Have the browser post ``fields`` to ``url``."""

    url: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    how: Asked = Asked.PLAINLY


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be asked of the browser; ``why`` not."""

    why: Evidence


Act = Redirect | Form | Skip


class Way(Protocol):
    """How a hop is reached."""

    def act(self, asked: HopRequest) -> Act: ...


@dataclass(frozen=True, slots=True)
class OidcLogout:
    """OpenID Connect RP-Initiated Logout 1.0 §2, and the dialects of it.

    :ivar client_id: empty where it is not sent. :ivar form: when it is asked by a form.
    :ivar without: what becomes of a browser without the hint.
    :ivar derived: the endpoint where discovery names none, or was not reached.
    :ivar hint: the parameter that carries it. :ivar more: further parameters.
    """

    client_id: str
    form: FormUse = FormUse.NEVER
    without: Without = Without.UNCERTAIN
    derived: str | None = None
    hint: str = "id_token_hint"
    more: tuple[tuple[str, str], ...] = ()

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
        return self._unnamed(endpoint, asked, Asked.HINT_TOO_LONG) if long else hinted

    def _unnamed(self, endpoint: str, asked: HopRequest, how: Asked) -> Act:
        if self.without is Without.STRANDED:
            return Skip(_UNNAMED[how])
        return self._address(endpoint, asked, how)

    def _address(self, endpoint: str, asked: HopRequest, how: Asked, hint: str | None = None) -> Redirect:
        return Redirect(with_query(endpoint, self._parameters(asked, hint)), how)

    def _parameters(self, asked: HopRequest, hint: str | None) -> tuple[tuple[str, str], ...]:
        """``client_id`` beside the hint too: it says whose return address it is where the hint is not understood."""
        return (
            *([(self.hint, hint)] if hint is not None else []),
            *([("client_id", self.client_id)] if self.client_id else []),
            ("post_logout_redirect_uri", asked.return_to),
            ("state", asked.state),
            *self.more,
        )


@dataclass(frozen=True, slots=True)
class AddressTemplate:
    """An address to fill in with `PLACEHOLDERS`, encoded; empty where nobody can be asked, as at Google."""

    template: str
    client_id: str

    @property
    def echoes_state(self) -> bool:
        """Whether the provider is expected to hand ``state`` back."""
        return "state" in placeholders(self.template)

    def act(self, asked: HopRequest) -> Redirect | Skip:
        if not self.template:
            return Skip(Evidence.NO_ENDPOINT)
        given = {"return_to": asked.return_to, "client_id": self.client_id, "state": asked.state}
        return Redirect(_PLACEHOLDER.sub(lambda found: quote(given[found[1]], safe=""), self.template))


@dataclass(frozen=True, slots=True)
class Hop:
    """One identity provider of the chain.

    :ivar label: what people call it.
    :ivar known: what is known of its end of session; one that has no hint needs nothing of the provider's metadata.
    :ivar instead_of: the hop before, whose session this one ends where that one could not.
    :ivar elsewhere: it ends another provider's session than that of the one that signs people in here.
    :ivar further: it ends that of the provider behind as well.
    """

    name: str
    label: str
    way: Way
    known: SignOut
    instead_of: str = ""
    elsewhere: bool = False
    further: bool = False

    @property
    def hint(self) -> str:
        """What must be kept of a sign-in for this hop; empty for nothing."""
        return self.known.hint

    @property
    def nonced(self) -> bool:
        """Whether the return address ends in a return nonce."""
        return self.known.proof is Proof.PATH

    def endpoint(self, found: str | None) -> str | None:
        """Where OpenID Connect's end of session is asked, if discovery has ``found`` that; None for any other hop."""
        return found or self.way.derived if isinstance(self.way, OidcLogout) else None


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
