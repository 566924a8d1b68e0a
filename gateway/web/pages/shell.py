"""What every page of the gateway has in common: the values sent, the policy headers, the templates.

A page carries everything it needs inline (one stylesheet, at most one script) and its Content-Security-Policy
names exactly those two by their SHA-256, so nothing else can run, load, frame the page or take its forms.
Scripts are constant files; what differs from page to page travels in escaped `data-` attributes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from gateway.core.http import target
from gateway.web.pages.catalogue import MESSAGES

CHALLENGE = ("WWW-Authenticate", 'Session realm="gateway"')
"""Every 401 has one (RFC 9110 §11.6.1), of a scheme that makes no browser open a password dialog."""
_TEMPLATES = Path(__file__).parent / "templates"
_UNSAFE_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


class FormsTo(Enum):
    """Where the forms of a page lead (the CSP's `form-action`).

    Chromium and WebKit hold it against every redirect that follows as well (CSP Level 3 §6.4.2). Where a provider leads
    on to is not in our configuration: behind Cognito is another provider, and behind that may be one more. So a form of
    ours is answered with a page that moves on by itself; only one that has to be posted to a provider lets go of it.
    """

    NOBODY = "'none'"
    US = "'self'"
    PROVIDER = "https:"
    LOCAL_PROVIDER = "http: https:"


@dataclass(frozen=True, slots=True)
class Page:
    """One complete answer of our own; `headers` lacks only Content-Length, Date and cookies."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


def render(
    template: str,
    *,
    status: int = 200,
    scripts: Sequence[str] = (),
    forms_to: FormsTo = FormsTo.NOBODY,
    homeless: bool = False,
    **values: object,
) -> Page:
    """Render `templates/<template>.html` with the headers of rules R27 and R34.

    `scripts` are files in `templates/`, which become one. A `homeless` page has no origin: where it leads on, it does
    as another site.
    """
    style_text = asset("style.css")
    script_text = "\n".join(asset(script) for script in scripts)
    body = (
        _environment()
        .get_template(f"{template}.html")
        .render(
            status=status,
            style=Markup(style_text),  # noqa: S704 - our own constant file
            script=Markup(script_text),  # noqa: S704 - our own constant file
            **values,
        )
    )
    policy = content_security_policy(style_text, script_text, forms_to)
    if homeless:
        policy += "; sandbox allow-scripts"
    # A form to ourselves needs it, or its Origin would be null (rule R13).
    referrer = "same-origin" if forms_to is FormsTo.US else "no-referrer"
    challenge = (CHALLENGE,) if status == 401 else ()
    return Page(status, body.encode(), own_headers("text/html; charset=utf-8", policy, referrer) + challenge)


def own_headers(content_type: str, policy: str, referrer: str = "no-referrer") -> tuple[tuple[str, str], ...]:
    """The headers that every answer of our own carries."""
    return (
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", referrer),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
    )


def content_security_policy(style: str, script: str, forms_to: FormsTo) -> str:
    """Allow these two inline texts and nothing else (CSP Level 3 §8.3)."""
    directives = ["default-src 'none'", f"style-src {_hash_source(style)}"]
    if script:
        directives.append(f"script-src {_hash_source(script)}")
    directives += [
        f"form-action {forms_to.value}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "img-src 'none'",
    ]
    return "; ".join(directives)


def web_address(url: str) -> str:
    """`url` when it is an http(s) address or a path of this origin, otherwise "/".

    The last line of defence behind the checks where addresses come in: a page of ours never links to a
    script, to another scheme, or to something that two parsers could read differently.
    """
    if url.startswith("/"):
        return local_path(url)
    if _UNSAFE_IN_ADDRESS.search(url):
        return "/"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    return url if parts.scheme in {"http", "https"} and parts.hostname else "/"


def local_path(url: str) -> str:
    """`url` when it is a path of this origin, otherwise "/" (`target.local_path` says what is one)."""
    return target.local_path(url) or "/"


@cache
def asset(name: str) -> str:
    """The text of an inline stylesheet or script, exactly as it will stand between its tags."""
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        address=web_address, local=local_path, instant=_instant, clock=_clock, day=_day
    )
    environment.filters.update(
        strong=Markup("<strong>{}</strong>").format, code=Markup("<code>{}</code>").format
    )
    environment.globals["message"] = _marked_up
    return environment


def _marked_up(name: str, /, **values: object) -> Markup:
    """`catalogue.message` for templates: values may be markup, and are escaped where they are not."""
    return escape(MESSAGES[name]).format(**values)


@cache
def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _day(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%B %Y}"
