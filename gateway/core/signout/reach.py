"""How far a sign-out reaches beyond the session that it ends (rule R30).

Only a session that lives reaches further than itself. A browser that comes back with a dead one would else end what the
user has begun since, and so could whoever has a copy of an old cookie.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.session.revocation_keys import names_provider_session, subject_key
from gateway.core.session.session import SessionOrHusk
from gateway.core.signout.revocation import NewEntry

WITH_THE_USER = "signed_out_with_user"
WITH_THE_PROVIDER = "signed_out_with_provider"
"""Why a session ended that somebody signed out of elsewhere."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What else ends with a session.

    :ivar every_session_of_user: all sessions of its user (``logout.scope: user``), at every host that shares the state.
    :ivar one_sign_in: those with the same session at the provider, which the chain ends as well; behind Cognito every
        sign-in has an id of its own.
    """

    every_session_of_user: bool = False
    one_sign_in: bool = False

    def others(self, session: SessionOrHusk, expires: int) -> list[NewEntry]:
        """The entries beside that of ``session``, which lives. No barrier: their browsers are not signing out.

        :param expires: seconds; when no session can be left that they end.
        """
        found = []
        if self.one_sign_in:
            keys = filter(names_provider_session, session.aliases)
            found += [NewEntry(key, expires, WITH_THE_PROVIDER) for key in keys]
        if self.every_session_of_user:
            found.append(NewEntry(subject_key(*session.who[:2]), expires, WITH_THE_USER))
        return found


ALONE = Reach()
