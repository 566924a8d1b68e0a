"""Somebody who has signed in, as the revocation log sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SignedIn:
    """See `gateway.core.signout.revocation.SignedIn`."""

    sid: str
    aliases: tuple[str, ...] = ()
    seen: int = 0
    login_at: int = 0
