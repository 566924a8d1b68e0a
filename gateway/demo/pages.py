"""The look of the emulators' pages: plain, readable, usable without script and by keyboard alone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from gateway.demo import dice
from gateway.demo.answers import NO_STORE, Cookie, headers_with
from gateway.demo.people import PASSWORD, PEOPLE

STYLE = """
:root { color-scheme: light dark; --accent: %(accent)s; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f3f4f6, #16181d); color: light-dark(#1b1f24, #e8eaed); }
main { width: min(26rem, 100%%); padding: 2rem; border-radius: .75rem; border-top: .375rem solid var(--accent);
  background: light-dark(#fff, #22252b); box-shadow: 0 .5rem 2rem rgb(0 0 0 / 12%%); }
.party { margin: 0; font-size: .875rem; font-weight: 600; letter-spacing: .03em; color: light-dark(#4b5563, #b6bcc6); }
h1 { margin: .25rem 0 1rem; font-size: 1.5rem; line-height: 1.25; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input { width: 100%%; margin-top: .25rem; padding: .625rem; font: inherit; color: inherit; border-radius: .375rem;
  border: 1px solid light-dark(#6b7280, #9aa1ac); background: light-dark(#fff, #16181d); }
button, .button { display: block; width: 100%%; margin-top: 1.5rem; padding: .75rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; color: #fff; background: var(--accent); border: 0; border-radius: .375rem;
  cursor: pointer; }
:focus-visible { outline: .1875rem solid light-dark(#1b1f24, #fff); outline-offset: .125rem; }
[role=alert] { padding: .75rem; border-left: .25rem solid #b42318; background: light-dark(#fef3f2, #3b1d1a); }
h2 { margin: 1.75rem 0 .25rem; font-size: 1.125rem; }
h2 + p { margin: 0; }
.beside { display: flex; gap: .75rem; }
.beside button { margin-top: .75rem; }
ul { padding-left: 1.25rem; font-size: .875rem; overflow-wrap: anywhere; }
.note { margin: 1.5rem 0 0; font-size: .875rem; color: light-dark(#4b5563, #b6bcc6); }
"""
FRAME_PATIENCE = 3000
"""Milliseconds."""
ACCENTS = {"Okta (emulated)": "#1a4fd6", "Cognito hosted UI (emulated)": "#a3480f"}


def page(
    party: str,
    title: str,
    content: str,
    *,
    status: int = 200,
    cookies: Sequence[Cookie] = (),
    script: str = "",
    frames: Sequence[str] = (),
) -> web.Response:
    """Return a page of *party*; *content* is HTML already escaped, *script* runs under a nonce.

    *frames* are addresses of other sites, each loaded in an iframe that nobody sees.
    """
    nonce = dice.token(12)
    style = STYLE % {"accent": ACCENTS[party]}
    code = f'<script nonce="{nonce}">{script}</script>' if script else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} · {escape(party)}</title><style nonce="{nonce}">{style}</style></head>'
        f'<body><main><p class="party">{escape(party)}</p><h1>{escape(title)}</h1>{content}</main>{_hidden(frames)}'
        f"{code}</body></html>"
    )
    headers = headers_with(cookies, NO_STORE | _policies(nonce, frames))
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def message(
    party: str, title: str, sentence: str, *, status: int, cookies: Sequence[Cookie] = ()
) -> web.Response:
    """Return a page that says one thing."""
    return page(party, title, f"<p>{escape(sentence)}</p>", status=status, cookies=cookies)


def password_form(action: str, username: str, *, fault: str = "", more: str = "") -> str:
    """Return a sign-in form as HTML, filled in with *username*; *fault* is what was wrong before, *more* is HTML."""
    names = " or ".join(person.email for person in PEOPLE)
    alert = f'<p role="alert" id="wrong">{escape(fault)}</p>' if fault else ""
    told = ' aria-invalid="true" aria-describedby="wrong"' if fault else ""
    first, second = ("", " autofocus") if username else (" autofocus", "")
    return (
        f'{alert}<form method="post" action="{escape(action)}">{more}'
        f'<label for="username">User name</label><input id="username" name="username" type="text" required{told}'
        f' autocomplete="username" autocapitalize="none" spellcheck="false" value="{escape(username)}"{first}>'
        f'<label for="password">Password</label><input id="password" name="password" type="password" required{told}'
        f' autocomplete="current-password"{second}><button type="submit">Sign in</button></form>'
        f'<p class="note">People of this demo: {escape(names)}, password {escape(PASSWORD)}.</p>'
    )


def moving_form(
    party: str,
    action: str,
    fields: dict[str, str],
    *,
    cookies: Sequence[Cookie] = (),
    frames: Sequence[str] = (),
) -> web.Response:
    """Return a page that posts *fields* to *action* by itself, and by button where scripts are off.

    It waits for *frames* first, though not for ever.
    """
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    content = (
        f'<form method="post" action="{escape(action)}">{inputs}'
        '<p>Taking you back.</p><button id="continue">Continue</button></form>'
    )
    script = _after(frames, "document.forms[0].submit()")
    return page(party, "One moment", content, cookies=cookies, script=script, frames=frames)


def moving_link(
    party: str, location: str, *, cookies: Sequence[Cookie] = (), frames: Sequence[str] = ()
) -> web.Response:
    """Return a page that goes to *location* by itself, once *frames* are there, and by link where scripts are off."""
    content = f'<p>Taking you back.</p><a class="button" id="continue" href="{escape(location)}">Continue</a>'
    script = _after(frames, "location.replace(document.getElementById('continue').href)")
    return page(party, "One moment", content, cookies=cookies, script=script, frames=frames)


def _hidden(frames: Sequence[str]) -> str:
    return "".join(
        f'<iframe hidden title="Signing out of another application" src="{escape(url)}"></iframe>'
        for url in frames
    )


def _after(frames: Sequence[str], action: str) -> str:
    """Return a script that acts at once, or when every frame is loaded, or when one of them takes too long."""
    if not frames:
        return action
    return f"const go = () => {{ {action} }}; addEventListener('load', go); setTimeout(go, {FRAME_PATIENCE});"


def _policies(nonce: str, frames: Sequence[str]) -> dict[str, str]:
    # No form-action: Chromium applies it to the redirects after a form as well, and these leave the site.
    sources = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"
    origins = {urlsplit(url)._replace(path="", query="").geturl(): None for url in frames}
    framed = f"; frame-src {' '.join(origins)}" if frames else ""
    csp = f"{sources}{framed}; base-uri 'none'; frame-ancestors 'none'"
    return {
        "Content-Security-Policy": csp,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
