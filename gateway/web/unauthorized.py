"""401: nobody is signed in, or a sign-out is under way. Programs get a problem document, forms a page, and people who
only navigate are sent to sign in.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from gateway.core.http.facts import RequestFacts
from gateway.core.http.target import way_back
from gateway.core.memo import Memo
from gateway.web.messages import Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.pages.respond import Prepared, send, weighed
from gateway.web.statuses import status_of

SIGNING_OUT = "logout_in_progress"
_Asked = tuple[str, tuple[tuple[str, str], ...]]


class Unauthorized:
    """The answers of one deployment."""

    def __init__(self, public_url: str, prefix: str) -> None:
        self.public_url = public_url
        self._prefix = prefix
        self._start = f"{prefix}/start"
        self._prepared = Memo(self._prepare, entries=64, size=1024 * 1024, weigh=weighed)

    def way_back(self, facts: RequestFacts) -> str:
        """What a person wants to see, where a sign-in may lead there; some addresses are too long to come back to."""
        return way_back(facts.raw_target, self._prefix) or "/"

    def sign_in(self, facts: RequestFacts) -> str:
        """Where sign-in begins, with the way back."""
        return f"{self._start}?rd={quote(self.way_back(facts), safe='/')}"

    def program(
        self, reason: str, cookies: Sequence[str] = (), headers: tuple[tuple[str, str], ...] = ()
    ) -> Response:
        """For programs; ``reason`` is a challenge's, or ``logout_in_progress``."""
        return self._prepared[reason, headers].response(cookies)

    def form(self, reason: str, cookies: Sequence[str] = ()) -> Response:
        """For a form that a person has sent: what was typed need not be lost (P22)."""
        page = pages.error(
            status=status_of(code(reason)),
            title=message("reason.login_required.form_title"),
            what=message("reason.login_required.form_what"),
            fix=message("reason.login_required.form_fix"),
            code=code(reason),
            offers=(pages.Offer(message("page.sign_in"), self._start),),
        )
        return send(page, cookies)

    def _prepare(self, asked: _Asked) -> Prepared:
        reason, headers = asked
        title, leaving = message(f"reason.{code(reason)}.title"), reason == SIGNING_OUT
        where = {} if leaving else {"login_url": f"{self.public_url}{self._start}", "reason": reason}
        detail = message("reason.logout_in_progress.what") if leaving else ""
        status, named = status_of(code(reason)), code(reason)
        page = pages.problem(status=status, code=named, title=title, detail=detail, extra=where)
        return Prepared(page, (pages.CHALLENGE, *headers))


def code(reason: str) -> str:
    """The stable code: a challenge, whatever its cause, is ``login_required``."""
    return reason if reason == SIGNING_OUT else "login_required"
