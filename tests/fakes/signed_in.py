"""Somebody who has signed in, as the revocation log sees them."""

from __future__ import annotations

from gateway.core.session.sign_in import SignIn


def signed_in(sid: str, aliases: tuple[str, ...] = (), seen: int = 0, login_at: int = 0) -> SignIn:
    """What was recorded of them."""
    return SignIn(
        sid=sid, issuer="https://idp", subject="s-1", aliases=aliases, log_id="log", position=seen, user="alice",
        email=None, login_at=login_at, until=login_at + 3600, agent="", client="", seen_at=login_at,
    )  # fmt: skip
