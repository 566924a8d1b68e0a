"""What every refusal is on the wire: the status of its reason, which no other module of this floor knows."""

from __future__ import annotations

from typing import Final

STATUSES: Final = {
    "ambiguous_target": 400, "encoded_slash": 400, "ambiguous_header": 400, "malformed_request": 400,
    "bad_parameter": 400, "bad_callback": 400, "state_mismatch": 400, "state_unknown": 400, "sign_in_refused": 400,
    "sign_in_spent": 400, "broken_body": 400, "denied": 403, "cross_origin": 403, "iframe_or_prefetch": 403,
    "misasked": 403, "not_asked_again": 403, "not_found": 404, "unknown_method": 405, "wrong_method": 405,
    "too_slow": 408, "too_large": 413, "unknown_host": 421, "headers_too_large": 431, "internal": 500,
    "connect_failed": 502, "broken_response": 502, "tls_failed": 502, "provider": 502, "provider_unusable": 502,
    "state_stale": 503, "sessions_away": 503, "upstream_busy": 503, "connect_timeout": 504, "first_byte_timeout": 504,
    "idle_timeout": 504,
}  # fmt: skip
"""Of reasons with words in `messages.toml` (``reason``). One not here is ours to have forgotten."""
SPECIAL: Final = {
    "login_required": 401, "logout_in_progress": 401, "cookies_blocked": 400, "login_loop": 400,
    "session_too_large": 500, "not_ready": 503,
    # to operators
    "no_token_configured": 403, "wrong_token": 401, "not_json": 415, "not_understood": 400,
    # to those who end sessions from outside
    "token_rejected": 400, "unknown_key": 400, "no_challenge": 400, "wrong_secret": 401, "malformed_delivery": 400,
    "not_durable": 503,
}  # fmt: skip
"""Of reasons with a page or a document of their own."""
UNIVERSAL_LOGOUT: Final = {
    "token_rejected": 401, "unknown_key": 401, "other_application": 403, "unmapped_subject": 422,
    "malformed_request": 400, "malformed_subject": 400, "unknown_format": 400,
}  # fmt: skip
"""Okta looks at nothing else (facts B.6)."""
_PROXIES_HEAR: Final = frozenset({"state_stale", "sessions_away"})


def status_of(reason: str) -> int:
    """What ``reason`` is; a KeyError where there is no such reason."""
    return STATUSES.get(reason) or SPECIAL[reason]


def for_proxy(reason: str) -> int:
    """For a proxy in front: mostly one, for it takes other refusals for errors (protocol facts D.1)."""
    return STATUSES[reason if reason in _PROXIES_HEAR else "misasked"]
