"""The gateway's own pages, one function each; plain language first: what happened, what to do next.

Every function is pure: values in, a complete `Page` out. Whoever calls adds cookies and, where a status
demands one, a further header (`Page.with_headers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.web.pages.receipt import HopLine, began, entry, headline
from gateway.web.pages.shell import FormsTo, Page, local_path, own_headers, render, web_address

__all__ = [
    "HopLine", "Page", "SessionLine", "confirm_logout", "cookies_blocked", "error", "hop", "landing", "leaving",
    "login_loop", "once_more", "onward", "oversized_session", "own_headers", "problem", "session_ended", "sessions",
    "signed_out", "start", "waiting",
]  # fmt: skip


def start(*, authorize_url: str, attempt: str, rd: str) -> Page:
    """Keep `#fragment` in this tab, and `rd` when it is not empty, then go to sign-in (P22).

    `rd` is the return address only where it does not fit into the attempt's cookie (rule R33).
    """
    return render(
        "moving",
        script="start.js",
        title="Taking you to sign-in",
        what="One moment. If nothing happens, use the button.",
        url=authorize_url,
        attempt=attempt,
        rd=rd or None,
    )


READ_WITHIN = 6
"""Seconds to read a page that moves on by itself and says something."""


def once_more(*, authorize_url: str, attempt: str, rd: str, earlier: str, why: str) -> Page:
    """The same after a sign-in that was interrupted: `why`, a sentence, and time to read it.

    What the tab keeps for the attempt `earlier` is kept for this one.
    """
    return render(
        "moving",
        script="start.js",
        title="Please sign in once more",
        what=f"{why} To be sure that it is you, you will now be asked to sign in once more, even if you have just done "
        "so. Then the page that you wanted opens.",
        url=authorize_url,
        attempt=attempt,
        rd=rd or None,
        earlier=earlier,
        wait=READ_WITHIN,
    )


def landing(*, target: str, attempt: str) -> Page:
    """Restore what `start` kept for this attempt and go to `target`, a path of this origin (P22)."""
    return render(
        "moving",
        script="landing.js",
        title="You are signed in",
        what="Opening the page you asked for. If nothing happens, use the button.",
        url=local_path(target),
        attempt=attempt,
        rd=None,
    )


def onward(*, target: str) -> Page:
    """Go on to `target`, a path of this origin, as another site would (`Onward`); with the fragment of this page."""
    return render(
        "moving",
        script="moving.js",
        homeless=True,
        title="You are signed in",
        what="Opening the page you asked for. If nothing happens, use the button.",
        url=local_path(target),
        attempt=None,
        rd=None,
    )


def cookies_blocked(*, sign_in_url: str) -> Page:
    """Sign-in worked, but the session cookie did not come back (P13)."""
    return _message(
        400,
        code="cookies_blocked",
        title="Your browser did not keep the sign-in cookie",
        what="You signed in, but your browser then did not send back the cookie that remembers it. "
        "Without it this site cannot know you.",
        steps=(
            "Allow cookies for this site in your browser's settings; those of other sites are not needed.",
            "Pause extensions that block or delete cookies.",
            "Check that the address above begins with https.",
        ),
        action=("Try again", sign_in_url),
    )


def login_loop(*, cause: str, sign_in_url: str) -> Page:
    """Several sign-ins in a minute led back here; `cause` is one sentence naming the likely reason (P13)."""
    return _message(
        400,
        code="login_loop",
        title="Sign-in keeps starting over",
        what=f"You came back from sign-in several times within a minute, so we stopped here. {cause}",
        steps=(
            "Close the other tabs of this site, then try once more.",
            "Check that cookies are allowed for this site and that your computer's clock is right.",
            "If it happens again, tell the people who run this site what this page says.",
        ),
        action=("Try once more", sign_in_url),
    )


def waiting(*, resume_url: str, hop_label: str, seconds: int, refresh_url: str | None = None) -> Page:
    """A sign-out is on its way; looks again every `seconds` at `refresh_url`, by default where it stands.

    `hop_label` is empty while no service in particular is waited for.
    """
    return render(
        "waiting", resume_url=resume_url, hop_label=hop_label, seconds=seconds, refresh_url=refresh_url
    )


def confirm_logout(*, action: str) -> Page:
    """Ask before signing out (rule R13)."""
    return render("confirm_logout", forms_to=FormsTo.US, action=action)


def leaving(*, url: str) -> Page:
    """Go on to the first hop, or to the receipt: the answer to a form of ours (see `FormsTo`)."""
    return render(
        "moving",
        script="moving.js",
        title="Signing you out",
        what="You are already signed out here. If nothing happens, use the button.",
        url=url,
        attempt=None,
        rd=None,
    )


def hop(*, action: str, fields: Sequence[tuple[str, str]], hop_label: str) -> Page:
    """Post `fields` to the provider at `action`, so that it ends its session too (rule R34)."""
    local = action.startswith("http:")
    return render(
        "hop",
        script="hop.js",
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
) -> Page:
    """The receipt: for each session what was ended, what was not, how we know, and what to do about it.

    `why` is a sentence that says who wanted it, where that was nobody in this browser; `behind` as `headline`
    takes it.
    """
    top = headline(hops, finished=finished, durable=durable, behind=behind)
    lines = [entry(hop, durable=durable) for hop in hops]
    retry = "Try signing out again" if any(line.tone == "bad" for line in lines) else ""
    return render(
        "signed_out",
        script="local_time.js",
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
        retry_label=retry if hops else "Sign out now",
        offer_sign_in=finished or not hops,
        sign_in_url=sign_in_url,
        sign_in_label="Sign in again" if hops else "Go to sign-in",
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
        script="local_time.js",
        forms_to=FormsTo.US,
        lines=lines,
        complete=complete,
        more=more,
        action=action,
    )


def session_ended(*, reason_text: str, sign_in_url: str) -> Page:
    """Where a tab goes whose session ended elsewhere: nothing starts by itself (rule R35)."""
    return _message(
        200,
        tone="out",
        title="Your session has ended",
        what=reason_text,
        fix="Anything you had not saved in this tab may be lost. You can sign in again whenever you like.",
        action=("Sign in again", sign_in_url),
    )


def error(
    *, status: int, title: str, what: str, fix: str, code: str, action: tuple[str, str] | None = None
) -> Page:
    """A refusal or a failure: `what` happened, how to `fix` it, perhaps an `action` (label, address)."""
    return _message(status, code=code, title=title, what=what, fix=fix, action=action)


def oversized_session(*, bytes_needed: int, budget: int, largest_claim: str) -> Page:
    """The session does not fit into the cookie budget (rule R33); names what is largest."""
    return _message(
        500,
        code="session_too_large",
        title="Your sign-in is too large to keep",
        what="Your account comes with more details than this site can keep: "
        f"{bytes_needed:,} bytes where {budget:,} fit. The largest of them is “{largest_claim}”.",
        steps=(
            "Tell the people who run this site what this page says; you cannot change it yourself.",
            "For them: send fewer values in this claim, or keep it out of session.claims.",
        ),
    )


CHALLENGE = ("WWW-Authenticate", 'Session realm="gateway"')
"""Every 401 has one (RFC 9110 §11.6.1), of a scheme that makes no browser open a password dialog."""


def problem(
    *,
    status: int,
    code: str,
    title: str,
    detail: str = "",
    login_url: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> Page:
    """The same for programs: application/problem+json (RFC 9457 §3).

    `type` is about:blank, because `code` is what a program should look at.
    """
    members: dict[str, object] = {"type": "about:blank", "title": title, "status": status, "code": code}
    if detail:
        members["detail"] = detail
    if login_url is not None:
        members["login_url"] = login_url
    body = json.dumps({**(extra or {}), **members}).encode()
    policy = "default-src 'none'; frame-ancestors 'none'"
    page = Page(status, body, own_headers("application/problem+json", policy))
    return page.with_headers(CHALLENGE) if status == 401 else page


def _message(
    status: int,
    *,
    title: str,
    what: str,
    fix: str = "",
    steps: Sequence[str] = (),
    code: str = "",
    action: tuple[str, str] | None = None,
    tone: str | None = None,
) -> Page:
    return render(
        "message",
        status=status,
        tone=tone or ("bad" if status >= 500 else "warn"),
        title=title,
        what=what,
        fix=fix,
        steps=steps,
        code=code,
        action=action,
    )


def _place(url: str) -> str:
    """How a link's goal is called: its host, or this site for a path of our own."""
    return urlsplit(web_address(url)).hostname or "this site"
