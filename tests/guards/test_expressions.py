"""No regular expression over what others send takes longer than in proportion to its length."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import gateway
from tests.fakes.patience import PATIENCE

SERVING = ("app", "core", "idp", "oidc", "proxy", "state", "telemetry", "web", "workers")
SHORT = 32_768
"""Characters, about as many as a request's header lines may have."""
SUSPICIOUS = 0.02
"""Seconds that nothing takes for these which looks at each of them a few times."""
NOT_SENT = {
    "gateway.core.policy.statements._TOKEN": "policies are the operator's",
    "gateway.web.endpoints.tab._SPACE": "reads a file of ours",
    "gateway.core.http.tab_injection._COMMENT": "tried at one place, of 8 KiB at the most",
    "gateway.core.http.tab_injection._BOGUS": "the same",
    "gateway.core.http.tab_injection._HTML": "the same",
    "gateway.core.http.tab_injection._HEAD": "the same",
}
"""Not over what clients send, or over no more than a little of it."""
PIECES = (
    "a", "-", "_", " ", "\t", ";", "?", "/", "%", ",", "=", '"', "'", ".", "<", "0", "A-", "a=", "a ", ";a", "?a", "//", "/.", "/..",
    "%2", "%2F", '",', "=,", "eyJ", "-eyJ", "eyJ.", "eyJa.eyJ", "__Host-", "-__Secure-", "__Host-a;", "://", "://a:", "://a:b",
    "bearer", "bearer ", "basic  ", "dpop\t", "'nonce-", "'nonce-a=", "<!--", "<!--a", "<html ", "<html a='", "<head =", "<!", "{", "}{",
    "bytes=", "max-age=", "NTLM ", "Edg/", "AA", "Mac OS X", "a0", "A0a", "\\", "\\\"", "//\n",
)  # fmt: skip
"""What an attacker repeats."""
ENDS = ("", "\x00")


ANYWHERE = {"search", "sub", "subn", "findall", "finditer", "split"}
"""Methods that try at every place of a text."""


def expressions() -> Iterator[tuple[str, re.Pattern[Any], bool]]:
    """Every compiled expression of the modules that serve, and whether it is looked for anywhere in a text."""
    for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if found.name.split(".")[1] in SERVING:
            module = importlib.import_module(found.name)
            for name, thing in vars(module).items():
                if isinstance(thing, re.Pattern):
                    used = set(re.findall(rf"\b{name}\.(\w+)", inspect.getsource(module)))
                    yield f"{found.name}.{name}", thing, not used or bool(used & ANYWHERE)


def tried() -> None:
    """Use each on what makes it fail as late as can be; what takes long is used on something a hundred times as long, and
    hangs there if it takes more than its share. Says before that which it is.
    """
    for name, expression, anywhere in expressions():
        if name in NOT_SENT:
            continue
        print(name, flush=True)
        for piece in PIECES:
            for end in ENDS:
                if _seconds(expression, piece, end, SHORT, anywhere=anywhere) > SUSPICIOUS:
                    print(name, repr(piece), flush=True)
                    _seconds(expression, piece, end, 100 * SHORT, anywhere=anywhere)


def _seconds(expression: re.Pattern[Any], piece: str, end: str, size: int, *, anywhere: bool) -> float:
    """Of the processor, so that no load makes it less."""
    text: Any = piece * (size // len(piece)) + end
    text = text.encode() if isinstance(expression.pattern, bytes) else text
    began = time.process_time()
    if anywhere:
        expression.sub(text[:0], text)
    else:
        expression.match(text)
        expression.fullmatch(text)
    return time.process_time() - began


def test_no_expression_takes_more_than_its_share() -> None:
    """In a process of its own, which is ended when it hangs: what it said last is what hangs."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from tests.guards.test_expressions import tried; tried()"],
            timeout=2 * PATIENCE, capture_output=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as hung:
        pytest.fail(f"it hangs: {(hung.stdout or b'').decode().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert len(done.stdout.splitlines()) > 50


def test_it_would_be_found() -> None:
    """What the redaction of log lines once did; and what is left out is there."""
    slow = re.compile(r"\beyJ[\w-]+\.[\w-]+")
    assert _seconds(slow, "-eyJ", "", SHORT, anywhere=True) > SUSPICIOUS
    assert NOT_SENT.keys() <= {name for name, _, _ in expressions()}
