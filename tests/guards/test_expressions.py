"""No regular expression over what others send takes longer than in proportion to its length."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache, partial
from resource import RLIMIT_CPU, setrlimit
from typing import Any

import pytest

import gateway

SERVING = ("app", "core", "idp", "oidc", "proxy", "state", "telemetry", "web", "workers")
SHORT = 16_384
"""Characters, half as many as a request's header lines may have."""
LONGER = 4
MORE = 8
"""How often as long something takes on a text that is so much longer, when it does not take in proportion: more than 4,
less than 4 times 4.
"""
LOOKS = 30
"""What takes longer than so many looks at each of them is tried on a longer text."""
REPEATED = 5
"""It takes long only if it does so each time: what shares a processor can make anything take long once."""
ENOUGH = 600
"""Seconds of the processor for all of it, hundreds of times what it takes: it ends what hangs on a short text already."""
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
    """Use each on what makes it fail as late as can be. Says before that which it is, and afterwards whether it grows."""
    for name, expression, anywhere in expressions():
        if name in NOT_SENT:
            continue
        print(name, flush=True)
        for piece in PIECES:
            for end in ENDS:
                if grows(expression, piece, end, anywhere=anywhere):
                    print(name, "grows on", repr(piece), flush=True)


def grows(expression: re.Pattern[Any], piece: str, end: str, *, anywhere: bool, size: int = SHORT) -> bool:
    """Whether what takes long takes more than in proportion, each time."""
    for _ in range(REPEATED):
        took = _seconds(expression, piece, end, size, anywhere=anywhere)
        if took <= suspicious(size):
            return False
        if _seconds(expression, piece, end, LONGER * size, anywhere=anywhere) <= MORE * took:
            return False
    return True


@cache
def suspicious(size: int) -> float:
    """Seconds, on this machine."""
    look = re.compile("[^x]x?")
    return LOOKS * min(_seconds(look, "a", "", size, anywhere=True) for _ in range(REPEATED))


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
    done = subprocess.run(
        [sys.executable, "-c", "from tests.guards.test_expressions import tried; tried()"],
        preexec_fn=partial(setrlimit, RLIMIT_CPU, (ENOUGH, ENOUGH + 1)), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        pytest.fail(f"it hangs: {done.stdout.decode().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    said = done.stdout.decode().splitlines()
    assert [line for line in said if " grows on " in line] == []
    assert len(said) > 50


def test_it_would_be_found() -> None:
    """What the redaction of log lines once did; and what is left out is there."""
    slow = re.compile(r"\beyJ[\w-]+\.[\w-]+")
    assert grows(slow, "-eyJ", "", anywhere=True, size=SHORT // 2)
    assert NOT_SENT.keys() <= {name for name, _, _ in expressions()}
