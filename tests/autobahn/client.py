"""The suite's fuzzing client: every case against one server after the other, with the cookie of somebody signed in."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.autobahn.report import Report, parse

PATIENCE = 12 * 60
"""Seconds for everything; both halves together take a third of it."""
MESSAGES = 100
"""In each case of sections 12 and 13, not the suite's 1000: those take half an hour, most of it for compressing."""
_START = """
import os
from autobahntestsuite import fuzzing, wstest
from autobahntestsuite.case import Case12_X_X, Case13_X_X

class SignedIn(fuzzing.FuzzingClientFactory, object):
    def setSessionParameters(self, *given, **named):
        super(SignedIn, self).setSessionParameters(*given, **named)
        self.headers = {"Cookie": os.environ["AUTOBAHN_COOKIE"]}

fuzzing.FuzzingClientFactory = SignedIn
for each in Case12_X_X + Case13_X_X:
    each.COUNT = int(os.environ["AUTOBAHN_MESSAGES"])
wstest.run()
"""
"""Python 2.7. The suite's own configuration has no place for a header; a front that adds one would be examined too."""


@dataclass(frozen=True, slots=True)
class Client:
    """How the suite is run.

    :ivar python: the interpreter that has it. :ivar into: directory of its reports and its log.
    :ivar cookie: sent with each handshake, as is ``origin``.
    """

    python: Path
    into: Path
    cookie: str
    origin: str

    async def examine(self, servers: dict[str, str], cases: Sequence[str]) -> dict[str, Report]:
        """What it found, by the servers' names; exits when it breaks off.

        :param servers: URLs by name. :param cases: patterns such as ``7.*``.
        """
        self.into.mkdir(parents=True, exist_ok=True)
        index, spec, log = (self.into / name for name in ("index.json", "spec.json", "log"))
        index.unlink(missing_ok=True)
        asked = [{"agent": name, "url": url, "origin": self.origin} for name, url in servers.items()]
        spec.write_text(json.dumps({"outdir": str(self.into), "servers": asked, "cases": list(cases)}))
        command = (self.python, "-W", "ignore", "-c", _START, "--mode", "fuzzingclient", "--spec", spec)
        more = {"AUTOBAHN_COOKIE": self.cookie, "AUTOBAHN_MESSAGES": str(MESSAGES)}
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=out, stderr=out, env={**os.environ, **more}
            )
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                sys.exit(f"autobahn: not done after {PATIENCE} s; see {log}")
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode or not index.exists():
            sys.exit(f"autobahn: the suite broke off (status {process.returncode}); see {log}")
        return parse(index.read_text())
