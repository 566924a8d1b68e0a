"""What is known of each provider's end of session, as data; ``docs/hops.md`` has the same as a table, with sources.

A form is a POST from another site: browsers leave a session's cookie behind unless it is SameSite=None, so a provider
may answer the form and keep its session. A form is only ever sent where that is known not to happen, or where the
operator wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.core.signout.evidence import Asked

ID_TOKEN = "id_token"  # noqa: S105 - the name of a hint, not a secret
"""The hint that OpenID Connect defines; every other is the name of a claim of the ID token."""


class FormUse(Enum):
    """When the provider is asked by a form in place of an address."""

    ALWAYS = "always"
    LONG = "long"  # where an address would be too long
    NEVER = "never"  # it takes none, or is not known to end its session by one


class Ends(Enum):
    """When a return shows that the provider's session is over."""

    ALWAYS = "always"
    WITH_HINT = "with hint"  # without one it asks the person, who may choose otherwise
    NEVER = "never"


class Without(Enum):
    """What becomes of a browser that is sent to the provider without the hint."""

    ASKED = "left out the second time"  # the provider asks the person, and leads back: a second try goes so
    UNCERTAIN = "kept the second time"  # nobody knows this one: some ask, and some show an error page
    STRANDED = "needed"  # it ends nothing: it is not asked at all


class Proof(Enum):
    """What tells a return from a stray visit to the return address."""

    NOTHING = "nothing"  # the provider compares addresses byte for byte and hands nothing back
    PATH = "path"  # the return address ends in the chain's ticket
    STATE = "state"  # the provider hands ``state`` back
    STATE_IF_ANY = "state if any"  # it may


@dataclass(frozen=True, slots=True)
class SignOut:
    """One provider's end of session.

    :ivar hint: what must be kept of a sign-in for it, as `hint_in` takes it; empty for nothing.
    :ivar without: what happens without one; says nothing where there is no hint.
    """

    proof: Proof
    ends: Ends
    form: FormUse = FormUse.NEVER
    hint: str = ""
    without: Without = Without.ASKED

    def ended(self, asked: str) -> bool:
        """Whether a return means that its session is over, where it was ``asked`` so."""
        return self.ends is Ends.ALWAYS or (self.ends is Ends.WITH_HINT and asked == Asked.HINT)


SIGN_OUTS: Mapping[str, SignOut] = {
    "cognito": SignOut(Proof.NOTHING, Ends.ALWAYS),
    "okta_signout": SignOut(Proof.PATH, Ends.ALWAYS),
    "okta": SignOut(Proof.STATE, Ends.WITH_HINT, FormUse.ALWAYS, ID_TOKEN, Without.STRANDED),
    "keycloak": SignOut(Proof.STATE, Ends.ALWAYS, FormUse.LONG, ID_TOKEN),
    "entra": SignOut(Proof.STATE_IF_ANY, Ends.WITH_HINT, hint="login_hint"),
    "auth0": SignOut(Proof.STATE, Ends.WITH_HINT, hint="sid"),
    "google": SignOut(Proof.NOTHING, Ends.NEVER),
    "oidc": SignOut(Proof.STATE, Ends.NEVER, hint=ID_TOKEN, without=Without.UNCERTAIN),
    "url": SignOut(Proof.STATE_IF_ANY, Ends.NEVER),
}
"""By the name of the hop; ``okta`` is the hop ``oidc`` where Okta is the provider, ``oidc`` any provider not named."""


def sign_out_of(hop: str, kind: str) -> SignOut:
    """What is known of ``hop`` at a provider of ``kind``: Okta and Keycloak have their manners as ``oidc`` too."""
    return SIGN_OUTS[kind if hop == "oidc" and kind in {"okta", "keycloak"} else hop]
