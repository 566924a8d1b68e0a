"""Every event that the process can write, through the log it really has: each reason is there, and no secret is.

The events are found by reading the code, so a new one is tried as soon as it is written.
"""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from gateway.config.fields import keys
from gateway.settings import kinds
from gateway.telemetry.audit import AuditEvent, AuditKind, AuditTrail
from gateway.telemetry.log import get_logger, session_mark
from gateway.telemetry.redaction import telling
from gateway.web import statuses
from tests.fakes.production_log import production_log

PACKAGE = Path(__file__).parents[2] / "gateway"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SPREAD = {
    "telemetry/audit.py", "web/door/connections.py", "web/ext_authz/listener.py", "state/contract/trouble.py",
}  # fmt: skip
"""Where an event's name or fields come from a caller; the callers are found too."""
TOLD_BY = {"Trouble": 2, "_tell": 1, "warn": 1}
"""Those ways to tell an event, and how many names they begin with."""
SECRET = "s3cr3t-Zq81KfVw0mTxN4uH7eYc"
QUOTES = (
    f"at /oauth2/callback?code={SECRET}&state={SECRET}",
    f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.{SECRET}",
    f"sent Authorization: Bearer {SECRET}",
    f"sent Cookie: theme=dark; __Host-session={SECRET}; __Host-login_01234567={SECRET}",
    f"redis://user:{SECRET}@host:6379/0 said no",
)
"""How secrets get into sentences: whoever answers us, or Python, quotes what was sent."""
PROTOCOL = (
    *("code", "state", "nonce", "code_verifier", "code_challenge", "id_token", "id_token_hint", "access_token"),
    *("refresh_token", "logout_token", "client_assertion", "assertion", "SAMLResponse", "SAMLRequest", "RelayState"),
    *("sid", "cookie", "set_cookie", "authorization", "proxy_authorization", "query", "body"),
)  # fmt: skip
"""What requests of ours and to us hold that is a secret."""


@dataclass(frozen=True)
class Event:
    """One event of the code: its name, and its fields with the text where that is written there."""

    place: str
    name: str
    fields: dict[str, str | None] = field(hash=False)


def text_of(node: ast.expr) -> str | None:
    """The text of an expression that is one, with "x" for whatever is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@cache
def calls() -> tuple[tuple[str, ast.Call], ...]:
    """Every call in the gateway; the demo is none of it."""
    sources = sorted(file for file in PACKAGE.rglob("*.py") if "demo" not in file.relative_to(PACKAGE).parts)
    trees = {str(file.relative_to(PACKAGE)): ast.parse(file.read_text(encoding="utf-8")) for file in sources}
    return tuple(
        (place, node)
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )


def logs(call: ast.Call) -> bool:
    """Whether it is a line of a logger of ours: they are all called so, which `test_each_logger…` holds."""
    on = call.func.value if isinstance(call.func, ast.Attribute) else None
    return called(call) in LEVELS and isinstance(on, ast.Name) and on.id == "_log"


def events() -> Iterator[Event]:
    """Those of logger calls, of what lasts, and of the door."""
    for place, call in calls():
        names = call.args[: TOLD_BY.get(called(call), 1 if logs(call) else 0)]
        given = {each.arg: text_of(each.value) for each in call.keywords if each.arg not in {None, "level"}}
        if called(call) == "Trouble":
            given["why"] = None
        for name in names:
            if (event := text_of(name)) is not None:
                yield Event(place, event, {str(key): text for key, text in given.items()})


def reasons() -> set[str]:
    """Every code of an error, and whatever else is a reason in an answer."""
    found = {*statuses.STATUSES, *statuses.SPECIAL, *statuses.UNIVERSAL_LOGOUT}
    for _, call in calls():
        if called(call).endswith("Error") and call.args and (code := text_of(call.args[0])):
            found |= {code} if code.isidentifier() else set()
    return found


def sentences() -> Iterator[str]:
    """What errors say in `detail` and `fix`, which lines repeat."""
    for _, call in calls():
        if called(call).endswith("Error"):
            yield from filter(None, map(text_of, [*call.args[1:], *(each.value for each in call.keywords)]))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What production writes."""
    with production_log() as stream:
        yield stream


def last(stream: io.StringIO) -> dict[str, object]:
    line: dict[str, object] = json.loads(stream.getvalue().splitlines()[-1])
    stream.seek(0)
    stream.truncate()
    return line


def test_each_logger_is_found() -> None:
    """One for each module, called `_log`; names and fields from elsewhere come from a few of them."""
    made = [place for place, call in calls() if called(call) == "get_logger" and place != "telemetry/log.py"]
    assert len(made) == len(set(made)) > 20
    told = {place for place, call in calls() if logs(call)}
    assert told == set(made)
    open_ = {
        place
        for place, call in calls()
        if logs(call) and (text_of(call.args[0]) is None or any(each.arg is None for each in call.keywords))
    }
    assert open_ == SPREAD
    assert len(list(events())) > 60


def test_no_event_has_a_field_that_is_named_like_a_secret(log: io.StringIO) -> None:
    """What is written there arrives, word for word, for each field of each event."""
    for event in events():
        given = {name: text or f"{name}-of-it" for name, text in event.fields.items() if name != "exc_info"}
        get_logger("part").warning(event.name, **given)
        line = last(log)
        assert line["event"] == event.name
        assert {name: line[name] for name in given} == given, event


def test_every_reason_reaches_the_log(log: io.StringIO) -> None:
    """Each code as `reason` of each event that has one, and in the audit trail; so does each sentence beside it."""
    codes, with_reason = reasons(), [event for event in events() if "reason" in event.fields]
    assert {"untrusted_caller", "tls_failed", "connect_failed", "invalid_grant", "token_rejected"} <= codes
    assert {"upstream_failed", "refresh_failed", "forward_auth_refused", "inbound_refused"} <= {
        event.name for event in with_reason
    }
    turns = cycle(sorted(codes))
    for event, code in [(event, next(turns)) for event in with_reason] + [
        (with_reason[0], code) for code in codes
    ]:
        get_logger("part").warning(event.name, reason=code)
        line = last(log)
        assert (line["event"], line["reason"]) == (event.name, code)
    for said in sentences():
        get_logger("part").warning("upstream_failed", detail=said)
        assert last(log)["detail"] == said
    for kind in AuditKind:
        AuditTrail().record(AuditEvent(kind, reason=(code := next(turns))))
        line = last(log)
        assert (line["event"], line["reason"]) == (kind.value, code)


def test_every_field_of_the_audit_trail_reaches_the_log(log: io.StringIO) -> None:
    """But the session's id, of which there is a hash."""
    texts: dict[str, Any] = {
        each.name: f"{each.name}-of-it" for each in fields(AuditEvent) if each.type == "str | None"
    }
    AuditTrail().record(AuditEvent(AuditKind.LOGIN, **texts))
    assert "sid-of-it" not in log.getvalue()
    line = last(log)
    assert line["session"] == session_mark("sid-of-it")
    shown = texts.keys() - {"sid", "mark"}
    assert {name: line[name] for name in shown} == {name: texts[name] for name in shown}


def test_no_secret_reaches_the_log_by_any_field_of_any_event(log: io.StringIO) -> None:
    """Whatever a sentence quotes, and whatever an exception does."""
    for quoted in QUOTES:
        for event in events():
            get_logger("part").warning(
                event.name, **{name: quoted for name in event.fields if name != "exc_info"}
            )
        try:
            raise ValueError(quoted)
        except ValueError as error:
            get_logger("part").exception("request_crashed")
            get_logger("part").error("request_crashed", exc_info=error)
    for each in fields(AuditEvent):
        if each.type == "str | None" and each.name != "receipt":  # that is signed for everybody to read
            quotes: dict[str, Any] = {each.name: QUOTES[1]}
            AuditTrail().record(AuditEvent(AuditKind.DENIED, **quotes))
    assert SECRET not in log.getvalue()
    assert "ValueError" in log.getvalue()


def test_every_secret_is_known_by_its_name() -> None:
    """The configuration's, and the protocols'. None of them is the name of a field of an event."""
    ours = {key.path[-1] for key in keys() if "Secret" in str(key.type) or key.type == kinds.Secret}
    assert {"client_secret", "password", "token", "secret"} <= ours
    for name in (*ours, *PROTOCOL):
        assert telling(name)
    used = {name for event in events() for name in event.fields}
    used |= {each.name for each in fields(AuditEvent)} - {"sid"}
    assert not [name for name in used if telling(name)]
