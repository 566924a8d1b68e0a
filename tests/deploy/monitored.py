"""The expressions of alerts and dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "monitoring" / "dashboard.json"


def alerts() -> list[dict[str, Any]]:
    """The rules, as Prometheus reads them."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[str, list[str]]]:
    """Of the dashboard: title and expressions."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel["title"], [target["expr"] for target in panel["targets"]]


def expressions() -> list[str]:
    """Of both."""
    return [rule["expr"] for rule in alerts()] + [expr for _, found in panels() for expr in found]
