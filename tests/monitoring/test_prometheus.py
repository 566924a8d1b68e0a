"""A real Prometheus takes the alerts, raises them when it should, and draws the dashboard of a gateway that runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import ClientSession

from gateway.app.server import Desk
from tests import programs
from tests.deploy.monitored import ALERTS, ROOT, alerts, panels
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.fakes.reaching import reached
from tests.flows.conftest import Stand, free_socket, standing

UNSEEN = (
    "gateway_policy_decisions_total", "gateway_unreadable_requests_total", "gateway_inbound_total",
    "gateway_forward_auth_refused_total", "gateway_state_log_renewals_total", "gateway_refreshes_total", 'durable="no"',
)  # fmt: skip
"""What is not counted where somebody has signed in and out, and nothing else."""


def promtool(*words: str | Path) -> str:
    run = subprocess.run(
        [programs.program("promtool"), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_prometheus_takes_the_rules() -> None:
    """Each expression can be read."""
    assert f"SUCCESS: {len(alerts())} rules found" in promtool("check", "rules", ALERTS)


def test_each_alert_is_raised_when_it_should() -> None:
    """By series that are written down, hours of them in a second."""
    assert "SUCCESS" in promtool("test", "rules", "tests/monitoring/alerts_test.yaml")


class Prometheus:
    """One that asks a gateway every second."""

    def __init__(self, directory: Path, target: str) -> None:
        self._directory = directory
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "gateway", "static_configs": [{"targets": [target]}]}],
        }
        (directory / "prometheus.yaml").write_text(json.dumps(config))

    async def start(self) -> None:
        with (self._directory / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                programs.program("prometheus"),
                f"--config.file={self._directory}/prometheus.yaml",
                f"--storage.tsdb.path={self._directory}/data",
                f"--web.listen-address=127.0.0.1:{self._port}",
                stdout=log,
                stderr=log,
            )
        await reached(self._port, self._process, (self._directory / "log").read_text)
        async with asyncio.timeout(PATIENCE):  # it listens before it can be asked
            while not await self._is_ready():
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self._port}/-/ready"
        async with ClientSession() as session, session.get(url) as answer:
            return answer.status == 200

    async def get(self, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}"
        async with ClientSession() as session, session.get(url, params=query) as answer:
            said = await answer.json()
        assert said["status"] == "success", said
        return said["data"]

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest_asyncio.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def prometheus(stand: Stand, tmp_path: Path) -> AsyncIterator[Prometheus]:
    """It asks the probes of the stand."""
    directory = tmp_path / "prometheus"
    directory.mkdir()
    probes, admin = free_socket(), free_socket()
    desk = Desk(stand.run.readiness, stand.gateway.metrics.exposition, stand.gateway.admin())
    made = Prometheus(directory, f"127.0.0.1:{probes.getsockname()[1]}")
    await desk.open(probes, admin)
    try:
        await made.start()
        yield made
    finally:
        await made.close()
        await desk.close()


async def test_the_dashboard_shows_somebody_who_signs_in_and_out(
    stand: Stand, prometheus: Prometheus
) -> None:
    """Each panel has something to draw but of what has not happened; and no rule fails or is raised."""
    browser = stand.browser()
    await stand.sign_in(browser)
    assert (await browser.goto(f"{stand.app}/api/me")).status == 200
    await stand.sign_out(browser)
    for title, found in panels():
        for expr in found:
            if any(part in expr for part in UNSEEN):
                await prometheus.get("query", query=_filled_in(expr))
            else:
                await _shown(prometheus, title, expr)
    quiet = {(rule["alert"], "ok", "inactive") for rule in alerts()}
    seen = await _ruled(prometheus)
    with contextlib.suppress(
        TimeoutError
    ):  # a gateway that was not reached for a moment is none that is away
        async with asyncio.timeout(PATIENCE):
            while seen != quiet:
                await asyncio.sleep(0.2)
                seen = await _ruled(prometheus)
    assert seen == quiet


async def _ruled(prometheus: Prometheus) -> set[tuple[str, str, str]]:
    """Each rule, whether it could be evaluated, and whether it is raised."""
    (group,) = (await prometheus.get("rules"))["groups"]
    return {(rule["name"], rule["health"], rule["state"]) for rule in group["rules"]}


def _filled_in(expr: str) -> str:
    """As Grafana does."""
    return expr.replace("$job", ".*").replace("$__rate_interval", "5m")


async def _shown(prometheus: Prometheus, title: str, expr: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not (await prometheus.get("query", query=_filled_in(expr)))["result"]:
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{title} shows nothing: {expr}") from None
