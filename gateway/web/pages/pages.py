"""The gateway's own pages, one function each; what they say is in `messages.toml`.

Every function is pure: values in, a complete `Page` out. Whoever calls adds cookies, and the header that a status
demands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.receipt import HopLine, began, entry, headline
from gateway.web.pages.shell import CHALLENGE, FormsTo, Page, local_path, own_headers, render, web_address
from gateway.web.statuses import status_of

__all__ = [
    "CHALLENGE", "HopLine", "Offer", "Page", "SessionLine", "confirm_logout", "cookies_blocked", "error", "hop",
    "landing", "leaving", "login_loop", "looked_at", "once_more", "onward", "oversized_session", "own_headers",
    "problem", "session_ended", "sessions", "signed_out", "start", "waiting",
]  # fmt: skip


STANDS_IN = status_of("login_required")
"""Of pages that come where the browser may have asked for something else, by a redirect: Firefox cannot tell a
download link (``<a download>``) from a navigation, and would save them under the name of the file. From 400 on no
browser does, nor shows them as a picture, and one who navigates sees them all the same. Nobody is signed in there.
"""


def stands_in(reason: str) -> int:
    """The status of a page of a sign-out: `reason` is empty where somebody has asked for that."""
    return STANDS_IN if reason else 200


class Offer(NamedTuple):
    """What a page offers to do next.

    :ivar to: an address; empty for the page's own, once more. :ivar posts: by a form of ours, for something ends then.
    :ivar name: of the link, for the page's script.
    """

    label: str
    to: str = ""
    posts: bool = False
    name: str = ""


def start(*, authorize_url: str, attempt: str, rd: str, earlier: str = "") -> Page:
    """Keep `#fragment` in this tab, and `rd` when it is not empty, then go to sign-in (P22).

    `rd` is the return address only where it has no room in `state`. What the tab keeps for the attempt `earlier` is
    kept for this one.
    """
    title, what = message("start.title"), message("start.what")
    return _moving("start.js", title, what, authorize_url, attempt, rd, earlier=earlier, status=STANDS_IN)


READ_WITHIN = 6
"""Seconds to read a page that moves on by itself and says something."""


def once_more(*, authorize_url: str, attempt: str, rd: str, earlier: str, why: str) -> Page:
    """The same after a sign-in that was interrupted: `why`, a sentence, and time to read it."""
    title, what = message("once_more.title"), message("once_more.what", why=why)
    return _moving(
        "start.js",
        title,
        what,
        authorize_url,
        attempt,
        rd,
        earlier=earlier,
        wait=READ_WITHIN,
        status=STANDS_IN,
    )


def looked_at(*, url: str) -> Page:
    """For a program that looks where a link leads before a person goes there: no further than the link itself."""
    title, what = message("reason.login_required.title"), message("looked_at.what")
    return _moving(None, title, what, local_path(url))


def landing(*, target: str, attempt: str) -> Page:
    """Restore what `start` kept for this attempt and go to `target`, a path of this origin (P22)."""
    return _moving(
        "landing.js", message("landing.title"), message("landing.what"), local_path(target), attempt
    )


def onward(*, target: str) -> Page:
    """Go on to `target`, a path of this origin, as another site would (`Onward`); with the fragment of this page."""
    return _moving(
        "moving.js", message("landing.title"), message("landing.what"), local_path(target), homeless=True
    )


def cookies_blocked(*, sign_in_url: str) -> Page:
    """Sign-in worked, but the session cookie did not come back (P13)."""
    return _page(
        status_of("cookies_blocked"),
        code="cookies_blocked",
        title=message("cookies_blocked.title"),
        what=message("cookies_blocked.what"),
        steps=[message(f"cookies_blocked.step_{at}") for at in (1, 2, 3)],
        offers=[Offer(message("page.try_again"), sign_in_url)],
    )


def login_loop(*, sign_in_url: str) -> Page:
    """Several sign-ins in a minute led back here (P13)."""
    return _page(
        status_of("login_loop"),
        code="login_loop",
        title=message("login_loop.title"),
        what=message("login_loop.what"),
        steps=[message(f"login_loop.step_{at}") for at in (1, 2, 3)],
        offers=[Offer(message("page.try_again"), sign_in_url)],
    )


def waiting(*, resume_url: str, hop_label: str, seconds: int, refresh_url: str | None = None) -> Page:
    """A sign-out is on its way; looks again every `seconds` at `refresh_url`, by default where it stands.

    `hop_label` is empty while no service in particular is waited for.
    """
    return render(
        "waiting",
        status=STANDS_IN,
        scripts=("waiting.js",),
        resume_url=resume_url,
        hop_label=hop_label,
        seconds=seconds,
        refresh_url=refresh_url,
    )


def confirm_logout(*, action: str) -> Page:
    """Ask before signing out (rule R13)."""
    return render("confirm_logout", forms_to=FormsTo.US, action=action)


def leaving(*, url: str, status: int = 200) -> Page:
    """Go on to the first hop, or to the receipt: the answer to a form of ours (see `FormsTo`)."""
    title, what = message("signing_out.title"), message("signing_out.leaving")
    return _moving("moving.js", title, what, url, status=status)


def hop(*, action: str, fields: Sequence[tuple[str, str]], hop_label: str, status: int = 200) -> Page:
    """Post `fields` to the provider at `action`, so that it ends its session too (rule R34)."""
    local = action.startswith("http:")
    return render(
        "hop",
        status=status,
        scripts=("hop.js",),
        forms_to=FormsTo.LOCAL_PROVIDER if local else FormsTo.PROVIDER,
        action=action,
        fields=fields,
        hop_label=hop_label,
    )


def signed_out(
    *,
    hops: Sequence[HopLine],
    durable: bool,
    finished: bool,
    sign_in_url: str,
    retry_action: str,
    resume_url: str | None,
    target_url: str | None,
    why: str = "",
    behind: bool = False,
    status: int = 200,
) -> Page:
    """The receipt: for each session what was ended, what was not, how we know, and what to do about it.

    `why` is a sentence that says who wanted it, where that was nobody in this browser; `behind` as `headline`
    takes it.
    """
    top = headline(hops, finished=finished, durable=durable, behind=behind)
    lines = [entry(hop, durable=durable) for hop in hops]
    retry = message("receipt.sign_out_again") if any(line.tone == "bad" for line in lines) else ""
    return render(
        "signed_out",
        status=status,
        scripts=("local_time.js", "place.js"),
        forms_to=FormsTo.US,
        tone=top.tone,
        title=top.title,
        summary=top.summary,
        why=why,
        hops=lines,
        began=began(hops),
        durable=durable,
        resume_url=None if finished else resume_url,
        retry_action=retry_action,
        retry_label=retry if hops else message("receipt.sign_out_now"),
        offer_sign_in=finished or not hops,
        sign_in_url=sign_in_url,
        sign_in_label=message("page.sign_in_again") if hops else message("receipt.sign_in"),
        target_url=target_url if finished else None,
        target_name=_place(target_url) if target_url else "",
    )


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One session of a user's own; times are epoch seconds, ``device`` is how people call it."""

    sid: str
    device: str
    client: str
    login_at: int
    seen_at: int
    current: bool


def sessions(*, lines: Sequence[SessionLine], complete: bool, more: int, action: str) -> Page:
    """Where the user is signed in; `more` sessions are not shown, `action` takes `?end=`."""
    return render(
        "sessions",
        scripts=("local_time.js",),
        forms_to=FormsTo.US,
        lines=lines,
        complete=complete,
        more=more,
        action=action,
    )


def session_ended(*, reason: str, sign_in_url: str) -> Page:
    """Where a tab goes whose session ended elsewhere: nothing starts by itself (rule R35)."""
    return _page(
        200,
        tone="out",
        title=message("session_ended.title"),
        what=message_for("session_over", reason, "elsewhere"),
        fix=message("session_ended.fix"),
        offers=[Offer(message("page.sign_in_again"), sign_in_url, name="sign-in")],
        scripts=("place.js",),
    )


def error(*, status: int, title: str, what: str, fix: str, code: str, offers: Sequence[Offer] = ()) -> Page:
    """A refusal or a failure: `what` happened, how to `fix` it, and what the page offers for that."""
    return _page(status, code=code, title=title, what=what, fix=fix, offers=offers)


def oversized_session(
    *, bytes_needed: int, budget: int, largest_claim: str, offers: Sequence[Offer] = ()
) -> Page:
    """The session does not fit into the cookie budget (rule R33); names what is largest."""
    return _page(
        status_of("session_too_large"),
        code="session_too_large",
        title=message("session_too_large.title"),
        what=message("session_too_large.what", needed=bytes_needed, budget=budget, claim=largest_claim),
        steps=[message(f"session_too_large.step_{at}") for at in (1, 2)],
        offers=offers,
    )


def document(data: object, kind: str = "application/json", *, status: int = 200) -> Page:
    """An answer to a program, as JSON."""
    return Page(status, json.dumps(data).encode(), own_headers(kind, "default-src 'none'"))


def problem(
    *,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    extra: Mapping[str, object] | None = None,
) -> Page:
    """The same for programs: application/problem+json (RFC 9457 §3).

    `type` is about:blank, because `code` is what a program should look at.
    """
    members: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "code": code}
    if detail:
        members["detail"] = detail
    body = json.dumps({**(extra or {}), **members}).encode()
    policy = "default-src 'none'; frame-ancestors 'none'"
    return Page(status, body, own_headers("application/problem+json", policy))


def _moving(
    script: str | None, title: str, what: str, url: str, attempt: str | None = None, rd: str = "", **more: Any
) -> Page:
    """A page that goes on to `url` by itself."""
    scripts = (script,) if script else ()
    return render(
        "moving", scripts=scripts, title=title, what=what, url=url, attempt=attempt, rd=rd or None, **more
    )


def _page(
    status: int,
    *,
    title: str,
    what: str,
    fix: str = "",
    steps: Sequence[str] = (),
    code: str = "",
    offers: Sequence[Offer] = (),
    tone: str | None = None,
    scripts: Sequence[str] = (),
) -> Page:
    return render(
        "message",
        scripts=scripts,
        forms_to=FormsTo.US if any(offer.posts for offer in offers) else FormsTo.NOBODY,
        status=status,
        tone=tone or ("bad" if status >= 500 else "warn"),
        title=title,
        what=what,
        fix=fix,
        steps=steps,
        code=code,
        offers=offers,
    )


def _place(url: str) -> str:
    """How a link's goal is called: its host, or this site for a path of our own."""
    return urlsplit(web_address(url)).hostname or message("page.this_site")
