"""``make autobahn``: the Autobahn test suite against a WebSocket server, without the gateway and through it.

The suite's client is signed in, so the tunnels are those of ordinary users: gated, registered under their session, and
followed frame by frame. All cases are run; those of sections 12 and 13 (compression) send 100 messages each instead of
1000. An exit status of 1 says that some case ended worse through the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from gateway.demo import configuration
from tests.autobahn import install
from tests.autobahn.client import Client
from tests.autobahn.echo import echo
from tests.autobahn.report import CASES, Report, findings, summary
from tests.fakes.serving import serving


async def examined(python: Path, cases: list[str]) -> tuple[Report, Report]:
    """The reports without the gateway, and through it."""
    async with echo() as port:
        # The suite's client resolves no name below .localhost.
        replaced = {
            "app.localhost": "localhost",
            f"file://{configuration.SPA}": f"http://127.0.0.1:{port}",
            "builtin:groups": "builtin:spa",
        }
        with tempfile.TemporaryDirectory(prefix="gateway-autobahn-") as directory:
            async with serving(Path(directory), replaced=replaced) as running:
                browser = running.browser()
                await running.sign_in(browser)
                cookie = browser.cookie_header(running.app)
                client = Client(python, install.INTO / "report", cookie, running.app)
                servers = {
                    "direct": f"ws://localhost:{port}/",
                    "gateway": running.app.replace("http", "ws") + "/",
                }
                reports = await client.examine(servers, cases)
    print(summary(reports))
    return reports.get("direct", {}), reports.get("gateway", {})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autobahn.run", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="PATTERN", help="only these cases, such as 7.* (default: all)"
    )
    given = parser.parse_args()
    python = install.suite()
    began = time.monotonic()
    print(f"autobahn: running; reports and log go to {install.INTO / 'report'}", flush=True)
    direct, gateway = asyncio.run(examined(python, given.cases or ["*"]))
    wrong = findings(direct, gateway, expected=None if given.cases else CASES)
    print(f"{time.monotonic() - began:.0f} s")
    if wrong:
        sys.exit("autobahn: worse through the gateway\n" + "\n".join(f"  {line}" for line in wrong))
    print("autobahn: no case is worse through the gateway")


if __name__ == "__main__":
    main()
