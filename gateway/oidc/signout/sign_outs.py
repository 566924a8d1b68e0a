"""What can be known of a provider's end of session, as data; ``docs/hops.md`` has what is, as a table, with sources.

A form is a POST from another site: browsers leave a session's cookie behind unless it is SameSite=None, so a provider
may answer the form and keep its session. A form is only ever sent where that is known not to happen, or where the
operator wants it.
"""

from __future__ import annotations

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
    PATH = "path"  # the return address ends in the chain's return nonce
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
