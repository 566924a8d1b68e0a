"""What is known of a hop when it is over, as codes: on what its end rests, and how it was asked.

They are sealed into the chain, signed in receipts and told in the audit trail; sentences are made of them where a page
is rendered (``web/pages/receipt.py``). A return says that the browser came back, and nothing else; what the provider
did with its session meanwhile is only known where its manners are (``oidc/signout/sign_outs.py``).
"""

from __future__ import annotations

from enum import StrEnum


class Evidence(StrEnum):
    """Why a hop has the status it has."""

    # returned
    SESSION_ENDED = "session_ended"
    """Back with what only this chain's return carries, from a provider that leads back once its session is over."""
    ENDED_ADDRESS_REACHED = "ended_address_reached"
    """At the return address of such a provider, which hands nothing back that would name this chain."""
    CAME_BACK = "came_back"
    """Back with what only this chain's return carries, from a provider that may have kept its session."""
    ADDRESS_REACHED = "address_reached"
    """At the return address of such a provider, with nothing that would name this chain."""
    # skipped
    NO_ENDPOINT = "no_endpoint"
    ENDPOINT_UNKNOWN = "endpoint_unknown"
    """The provider could not be asked for it."""
    NO_HINT = "no_hint"
    """Nothing is left that names the session, without which this provider ends none."""
    HINT_TOO_LONG = "hint_too_long"
    """The same, because it does not fit into an address."""
    HINT_WITHDRAWN = "hint_withdrawn"
    """The same, because the provider has withdrawn the key that signed it."""
    NOT_NEEDED = "not_needed"
    """The hop before has ended that session."""
    # failed
    NO_RETURN = "no_return"
    NOT_CONFIGURED = "not_configured"
    """The hop was taken out of the configuration while the chain was under way."""


ENDED = frozenset({Evidence.SESSION_ENDED, Evidence.ENDED_ADDRESS_REACHED})
"""With these the provider's session is known to be over; with no other."""


class Asked(StrEnum):
    """How the provider was asked."""

    PLAINLY = ""
    """Its way has no hint, or it was not asked yet."""
    HINT = "hint"
    NO_HINT = "no_hint"
    """The browser had nothing left that names the session."""
    HINT_TOO_LONG = "hint_too_long"
    """With the hint the address would have been longer than many servers take."""
    HINT_WITHDRAWN = "hint_withdrawn"
    """The provider has withdrawn the key that signed the hint, and would not take it."""
    AGAIN = "again"
    """Once more, and without the hint: it may be what the provider did not like."""
