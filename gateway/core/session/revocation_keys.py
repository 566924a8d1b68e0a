"""The keys of entries in the revocation log: what names one session, everything of somebody, or what is remembered.

A session lists the keys by which it can be named (`aliases`); an entry has one of them.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from typing import Final

EVERYONE: Final = "*"
_SID: Final = "sid:"
"""Before the id of a session."""
_JTI: Final = "jti:"
_HOP: Final = "hop:"


def sid_key(sid: str) -> str:
    """The key of one session."""
    return _SID + sid


def sid_of(key: str) -> str | None:
    """The session that a key names; None for keys that may name several."""
    return key[len(_SID) :] if key.startswith(_SID) else None


def subject_key(iss: str, sub: str) -> str:
    """The key of everything that `iss` signed in under the subject `sub`."""
    return f"sub:{_left(iss)}|{_text(sub)}"


def email_key(email: str) -> str:
    """The key of everything signed in under this address; case does not distinguish two people."""
    return "email:" + unicodedata.normalize("NFC", _text(email)).casefold()


def idp_key(provider: str, user_id: str) -> str:
    """The key of a federated user: the provider's name and the user's id (or NameID) there (rule R19)."""
    return f"idp:{_left(provider)}|{_text(user_id)}"


def isid_key(iss: str, sid: str) -> str:
    """The key of one session at the identity provider: its `sid` or `origin_jti` (rule R20)."""
    return f"isid:{_left(iss)}|{_text(sid)}"


def names_provider_session(key: str) -> bool:
    """Whether a key names a session at the identity provider."""
    return key.startswith("isid:")


def token_key(iss: str, jti: str) -> str:
    """The key of a token that `iss` has sent, by its id: not of anything that could be ended."""
    return f"{_JTI}{_left(iss)}|{_text(jti)}"


def hop_name(alias: str) -> str:
    """A short name for one of a user's, by which a sign-out is remembered: it has to travel in a cookie."""
    digest = hashlib.sha256(_text(alias).encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def hop_key(name: str, way: str = "") -> str:
    """The key of a sign-out that was ours, under a `hop_name`.

    :param way: given for the news of it, which is expected once on each way in.
    """
    return f"{_HOP}{way}/{name}" if way else _HOP + name


def is_hop_key(key: str) -> bool:
    """Whether it is one of those."""
    return key.startswith(_HOP)


def ends_sessions(key: str) -> bool:
    """Whether entries with this key can end a session; others only remember something."""
    return not key.startswith((_JTI, _HOP))


def _left(name: str) -> str:
    # The first "|" ends the issuer, so none may bring its own: it could name another issuer's subjects.
    return _text(name).replace("%", "%25").replace("|", "%7C")


def _text(name: str) -> str:
    # JSON can carry half a surrogate pair, which no log could store.
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()
