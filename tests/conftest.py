"""What all tests share."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import tempfile
from collections.abc import Generator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import programs, schedule
from tests.fakes.hand import Hand

programs.only("tests")
os.environ["RUNTIME_DIRECTORY"] = tempfile.mkdtemp(
    prefix="gateway-tests-"
)  # where gateways keep their witnesses
for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
    os.environ.pop(name, None)  # the way out of this machine's network is none of what is tried
# Nor whom it trusts: each Python that imports aiohttp reads the certificates of all of those, twice.
os.environ["SSL_CERT_FILE"] = os.devnull
collect_ignore = ["providers", "monitoring", "k8s"]  # `make providers` and the like ask for them by name

# What Cedar makes of a text is the same each time, and hundreds of configurations and gateways here have the same few.
policy_set: Any = importlib.import_module("gateway.core.policy.policy_set")
for name in ("read_schema", "examine"):
    setattr(policy_set, name, lru_cache(maxsize=1_000)(getattr(policy_set, name)))

# A busy machine is no finding: properties are judged by what they find, not by how long one example took.
# Nor is a change at fault for what the dice show on its day: the same examples each time, others in `make fuzz`.
for name, examples, same in (("gateway", 50, True), ("fuzz", 1_000, False)):
    settings.register_profile(
        name,
        deadline=None,
        max_examples=examples,
        derandomize=same,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("gateway")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Find the tests: nothing of what that makes is garbage, and to look for some took a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)  # and little of what comes: a look after every 700 took a 25th
        gc.enable()


@pytest.fixture(autouse=True)
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Moves the clocks of the time limits that a test's gateway makes."""
    return Hand().put(monkeypatch)


def pytest_unconfigure() -> None:
    """Leave nothing."""
    shutil.rmtree(os.environ["RUNTIME_DIRECTORY"], ignore_errors=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """See ``tests/schedule.py``."""
    return schedule.scheduler(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a process that is given its tests: the order and the groups are those of all of them."""
    if getattr(config.option, "loadgroup", False):
        schedule.grouped(items)
        items[:] = schedule.ordered(items)
