"""The matrix of signing out: every combination of providers, what can go wrong, and the browsers it is tried in.

What goes wrong decides with the combination what happens; the browser decides what becomes of cookies on the way. So
every combination meets every failure, every browser meets every combination and every failure, and not every triple is
run: a row says in which browsers it is. A test holds ``docs/logout.md`` against this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.browser.driver import Mode

COGNITO, OKTA = "cognito", "okta"


@dataclass(frozen=True, slots=True)
class Combination:
    """A way to sign in and out.

    :ivar federation: the demo's name for it. :ivar pieces: of its configuration, and what to put there instead.
    :ivar asks: who asks for the password. :ivar labels: the lines of a receipt, besides the application's own.
    """

    key: str
    title: str
    federation: str
    asks: str
    labels: tuple[str, ...]
    pieces: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, str | bool] = field(default_factory=dict)


COMBINATIONS = {
    each.key: each
    for each in (
        Combination(
            "1a",
            "Cognito + Okta by SAML, single logout",
            "slo",
            OKTA,
            ("Cognito",),
            switches={"stale_metadata": True},
        ),
        Combination("1b", "Cognito + Okta by SAML, hub and spoke", "saml", OKTA, ("Cognito", "Okta")),
        Combination("2", "Cognito + Okta by OpenID Connect", "oidc", OKTA, ("Cognito", "Okta")),
        Combination("3", "Okta by OpenID Connect", "okta", OKTA, ("Okta",)),
        Combination("4", "Cognito alone", "cognito", COGNITO, ("Cognito",)),
        Combination(
            "5",
            "any OpenID provider",
            "okta",
            OKTA,
            ("okta.localhost",),
            {
                "kind: okta": "kind: oidc",
                "\n  client_id": "/oauth2/default\n  client_id",
                "chain: [oidc, ": "chain: [oidc]  # ",
            },
        ),
    )
}


class Failure(Enum):
    """What goes wrong."""

    NONE = "nothing"
    CLOSED = "the tab is closed on the way, and the application opened again later"
    ERROR = "the provider does not know the return address and keeps the browser on an error page"
    SILENT = "the provider never answers"
    REVOCATION = "tokens cannot be revoked"
    EXPIRED = "the session at Okta has expired before"
    NO_HINT = "the browser has lost the ID token hint"
    BACK = "the user presses Back"
    SECOND_TAB = "a second tab is open"


class Window(Enum):
    """Where it is tried: the program, and how its window is."""

    CHROMIUM = "chromium", Mode.USUAL
    CHROMIUM_PRIVATE = "chromium", Mode.PRIVATE
    FIREFOX = "firefox", Mode.USUAL
    FIREFOX_PRIVATE = "firefox", Mode.PRIVATE

    @property
    def program(self) -> str:
        return self.value[0]

    @property
    def mode(self) -> Mode:
        return self.value[1]


ALL = tuple(Window)
USUAL_FIRST = Window.CHROMIUM, Window.FIREFOX_PRIVATE
PRIVATE_FIRST = Window.CHROMIUM_PRIVATE, Window.FIREFOX
NAMES = {
    Window.CHROMIUM: "Chromium",
    Window.CHROMIUM_PRIVATE: "Chromium private",
    Window.FIREFOX: "Firefox",
    Window.FIREFOX_PRIVATE: "Firefox private",
}

LEFT_OUT: Mapping[tuple[str, Failure], str] = {
    ("1a", Failure.NO_HINT): "Cognito's sign-out takes no hint",
    ("1b", Failure.NO_HINT): "neither Cognito's nor Okta's sign-out takes a hint",
    ("2", Failure.NO_HINT): "neither Cognito's nor Okta's sign-out takes a hint",
    ("4", Failure.NO_HINT): "Cognito's sign-out takes no hint",
    ("4", Failure.EXPIRED): "there is no Okta",
}
"""Pairs that do not exist, and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix.

    :ivar sees: what the user sees, one sentence. :ivar party: the provider that fails.
    :ivar moves: status and aim of every answer of the gateway that sends the browser on, in order.
    :ivar chips: what the receipt says of each hop. :ivar alive: providers whose session nothing could end.
    :ivar asked: whether the next sign-in asks for the password.
    """

    combination: str
    failure: Failure
    windows: tuple[Window, ...]
    sees: str
    moves: tuple[str, ...]
    chips: tuple[str, ...]
    party: str = ""
    alive: tuple[str, ...] = ()
    asked: bool = True

    @property
    def revoked(self) -> bool:
        """Whether the refresh token is dead in the end: an issuer that was not there is told again."""
        return self.failure is not Failure.REVOCATION

    @property
    def id(self) -> str:
        party = f"-at-{self.party}" if self.party and self.failure in {Failure.ERROR, Failure.SILENT} else ""
        return f"{self.combination}-{self.failure.name.lower().replace('_', '-')}{party}"
