"""The people of the demo. Okta is their directory; Cognito knows only what Okta tells it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

PASSWORD = "demo"  # noqa: S105 - published in the documentation


@dataclass(frozen=True, slots=True)
class Person:
    """One account at Okta; *user_id* is what Okta's tokens call sub."""

    user_id: str
    email: str
    given_name: str
    family_name: str
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        """Full name."""
        return f"{self.given_name} {self.family_name}"

    @property
    def preferred_username(self) -> str:
        """Short name, the part of the e-mail before the @."""
        return self.email.partition("@")[0]


PEOPLE = (
    Person("00u1alice0demo0000d7", "alice@example.com", "Alice", "Archer", ("admins", "staff")),
    Person("00u2bob000demo0000d7", "bob@example.com", "Bob", "Baker", ("staff",)),
)


def sign_in(username: str, password: str) -> Person | None:
    """Return the person whose e-mail or short name is *username*, if *password* is right."""
    wanted = username.strip().lower()
    for person in PEOPLE:
        if wanted in {person.email, person.preferred_username}:
            return person if hmac.compare_digest(password.encode(), PASSWORD.encode()) else None
    return None
