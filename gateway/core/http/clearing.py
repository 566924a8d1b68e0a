"""Which of its data an application may have the browser clear (``Clear-Site-Data``): all but cookies.

That would take the gateway's with the application's, and those of a sign-out under way, while the session lives on: a
copy of its cookie would still open the application, and no receipt would say so. The gateway's session ends by its own
sign-out, which ``upstreams[].sign_out_on`` begins where the application's does.
"""

from __future__ import annotations

from gateway.core.http.caching import directives

_ALL_ELSE = b'"cache", "storage", "executionContexts"'
"""What ``"*"`` means (W3C Clear Site Data §3.1), without cookies."""


def without_cookies(value: bytes) -> bytes:
    """A Clear-Site-Data value without what clears cookies; empty when nothing is left of it."""
    kept = []
    for each in directives(value):
        if b"*" in each:
            kept.append(_ALL_ELSE)
        elif b"cookie" not in each.lower():
            kept.append(each)
    return b", ".join(kept)
