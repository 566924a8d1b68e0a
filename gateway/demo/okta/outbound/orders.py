"""What somebody wants to be sent, and what each kind of message needs to be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.demo import dice
from gateway.demo.okta.outbound.delivery import Delivery
from gateway.demo.okta.saml_app import APP_INSTANCE
from gateway.demo.okta.state import COGNITO_CLIENT_ID, Okta
from gateway.demo.options import CLIENT_ID
from gateway.demo.people import PEOPLE, Person


@dataclass(frozen=True, slots=True)
class Order:
    """One message: about *person*, to *url*, spoiled as *variant* says; *choices* has a value for each of its kind."""

    person: Person
    url: str
    variant: str = "good"
    events: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message.

    *path* is where applications take it, below their own origin. The first of *events*, and of each of *choices*, is
    what is meant when nothing is said.
    """

    path: str
    build: Callable[[Okta, Order], Delivery]
    variants: tuple[str, ...]
    events: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def person_named(name: str) -> Person:
    """Return the person with this e-mail, or somebody whom no receiver knows."""
    known = {person.email: person for person in PEOPLE}
    stranger = Person("00u0stranger000000d7", name, "Sam", "Stranger", ())
    return known.get(name.strip().lower(), stranger)


def session_index(okta: Okta, person: Person) -> str:
    """Return the id of the person's latest session, which its ID tokens call sid; a made-up one when there is none."""
    own = [session for session in okta.sessions.values() if session.person == person]
    return own[-1].index if own else f"id{dice.token(12)}"


def application_id(okta: Okta, *, saml: bool) -> str:
    """Return what Okta calls the application: its client id, or the instance id of one that has none."""
    if saml:
        return APP_INSTANCE
    return CLIENT_ID if okta.common.options.federation == "okta" else COGNITO_CLIENT_ID
