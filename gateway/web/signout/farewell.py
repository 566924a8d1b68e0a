"""The last service worker: it clears its caches and unregisters itself (rule R14, ``browser.unregister_workers``).

Browsers ask for a worker's script again when a page of it is opened. Where nobody is signed in, this is the answer, so
the worker that answers from its caches after a sign-out is gone by the next navigation.
"""

from __future__ import annotations

from gateway.web.pages.shell import Page, asset, own_headers


def last_worker() -> Page:
    """The script. Its scope may be that of any worker of the origin (Service Workers §3.1, Service-Worker-Allowed)."""
    headers = own_headers("text/javascript; charset=utf-8", "default-src 'none'")
    return Page(200, asset("worker.js").encode(), (*headers, ("Service-Worker-Allowed", "/")))
