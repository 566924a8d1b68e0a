"""Every page in every form it takes, for the tests and the screenshots to walk through."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.web.pages import pages
from gateway.web.pages.catalogue import message
from gateway.web.pages.offers import SIGN_OUT, offers_for, other_account
from gateway.web.pages.pages import HopLine, Offer, Page, SessionLine
from gateway.web.statuses import STATUSES

IDP = "https://example.auth.eu-west-1.amazoncognito.com"
OKTA = "https://example.okta.com"
ATTEMPT = "k3Jd9sQx"
AUTHORIZE = f"{IDP}/oauth2/authorize?response_type=code&client_id=1h57&state=abc&nonce=def"
START = "/oauth2/start?rd=/"
NOON = 1_791_381_792  # 2026-10-07T14:03:12Z

OURS = HopLine("gateway", "This application", "returned", NOON)
COGNITO = HopLine("cognito", "Amazon Cognito", "returned", NOON + 1, "ended_address_reached")
OKTA_BACK = HopLine("okta_signout", "Okta", "returned", NOON + 2, "session_ended")
OKTA_LOST = HopLine("okta_signout", "Okta", "failed", NOON + 62, "no_return")
ANY_BACK = HopLine("oidc", "id.example.com", "returned", NOON + 2, "came_back", "hint_too_long")
OKTA_PENDING = HopLine("okta_signout", "Okta", "pending")
HERE = SessionLine("c2lkLW9uZQ", "Firefox on Linux", "192.0.2.7", NOON, NOON + 60, current=True)
THERE = SessionLine("c2lkLXR3bw", "Safari on an iPhone", "", NOON - 90_000, NOON - 3_600, current=False)
GOOGLE = HopLine("google", "Google", "skipped", NOON + 1, "no_endpoint")


def receipt(*hops: HopLine, **changes: object) -> Page:
    """A receipt with the ordinary addresses, unless `changes` say otherwise."""
    values: dict[str, object] = {
        "hops": hops,
        "durable": True,
        "finished": True,
        "sign_in_url": START,
        "retry_action": "/logout",
        "resume_url": None,
        "target_url": None,
    }
    return pages.signed_out(**(values | changes))  # type: ignore[arg-type]  # the page's own arguments


def _error(code: str, *offers: Offer, **changed: str) -> Page:
    said = {part: message(f"reason.{code}.{part}") for part in ("title", "what", "fix")} | changed
    return pages.error(status=STATUSES[code], code=code, offers=offers or offers_for(code, None), **said)


SAMPLES: dict[str, Callable[[], Page]] = {
    "start": lambda: pages.start(authorize_url=AUTHORIZE, attempt=ATTEMPT, rd="/reports/7"),
    "start-long": lambda: pages.start(authorize_url=AUTHORIZE, attempt=ATTEMPT, rd="/search?q=" + "x" * 2000),
    "once-more": lambda: pages.once_more(
        authorize_url=AUTHORIZE, attempt=ATTEMPT, rd="", earlier="89abcdef",
        why=message("ended.operator"),
    ),
    "looked-at": lambda: pages.looked_at(url="/reports/7?year=2026&q=\\d"),
    "onward": lambda: pages.onward(target="/reports/7?year=2026&open=1"),
    "receipt-why": lambda: receipt(OURS, COGNITO, OKTA_BACK, why=message("ended.signed_out_everywhere")),
    "landing": lambda: pages.landing(target="/reports/7?year=2026&open=1", attempt=ATTEMPT),
    "cookies-blocked": lambda: pages.cookies_blocked(sign_in_url=START),
    "login-loop": lambda: pages.login_loop(sign_in_url=START),
    "waiting": lambda: pages.waiting(resume_url="/logout/resume", hop_label="Okta", seconds=5),
    "waiting-unnamed": lambda: pages.waiting(resume_url="/logout", hop_label="", seconds=5),
    "hop": lambda: pages.hop(
        action=f"{OKTA}/oauth2/default/v1/logout",
        fields=(("id_token_hint", "eyJ.eyJ.sig"), ("client_id", "0oa1"), ("state", "s")),
        hop_label="Okta",
    ),
    "confirm": lambda: pages.confirm_logout(action="/logout?via=page"),
    "leaving": lambda: pages.leaving(url=f"{IDP}/logout?client_id=abc&logout_uri=https%3A%2F%2Fapp.example.com"),
    "receipt": lambda: receipt(OURS, COGNITO, OKTA_BACK),
    "receipt-target": lambda: receipt(OURS, COGNITO, OKTA_BACK, target_url="https://www.example.com/bye"),
    "receipt-failed": lambda: receipt(OURS, COGNITO, OKTA_LOST),
    "receipt-unproven": lambda: receipt(OURS, ANY_BACK),
    "receipt-skipped": lambda: receipt(OURS, GOOGLE),
    "receipt-no-session": lambda: receipt(HopLine("gateway", "This application", "skipped"), COGNITO, OKTA_BACK),
    "receipt-pending": lambda: receipt(
        OURS, COGNITO, OKTA_PENDING, finished=False, resume_url="/logout/resume"
    ),
    "receipt-not-durable": lambda: receipt(OURS, COGNITO, OKTA_BACK, durable=False),
    "receipt-none": receipt,
    "session-ended": lambda: pages.session_ended(reason="idle_expired", sign_in_url=START),
    "denied": lambda: _error(
        "denied", other_account("/admin"), SIGN_OUT,
        what=message("reason.denied.known", user="alice@example.com"),
    ),
    "access-denied": lambda: _error(
        "sign_in_refused", other_account(), SIGN_OUT, fix=message("reason.sign_in_refused.denied_fix"),
        what=message(
            "reason.sign_in_refused.explained", error="access_denied",
            description="User is not assigned to the client application.",
        ),
    ),
    "form-unsent": lambda: pages.error(
        status=401, code="login_required", title=message("reason.login_required.form_title"),
        what=message("reason.login_required.form_what"), fix=message("reason.login_required.form_fix"),
        offers=(Offer(message("page.sign_in"), "/oauth2/start"),),
    ),
    "oversized": lambda: pages.oversized_session(
        bytes_needed=9_412, budget=5_500, largest_claim="cognito:groups", offers=(other_account("/"), SIGN_OUT)
    ),
    "sessions": lambda: pages.sessions(
        lines=(HERE, THERE), complete=True, more=7, action="/oauth2/sessions"
    ),
    "sessions-unread": lambda: pages.sessions(lines=(HERE,), complete=False, more=0, action="/oauth2/sessions"),
    "sessions-none": lambda: pages.sessions(lines=(), complete=False, more=0, action="/oauth2/sessions"),
    **{f"refused-{code}": partial(_error, code) for code in STATUSES},
}  # fmt: skip
