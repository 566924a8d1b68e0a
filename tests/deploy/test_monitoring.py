"""Alerts and dashboard speak of the metrics that there are, and each alert says what to do.

Whether Prometheus takes them, and when an alert is raised, ``make monitoring`` tries.
"""

from __future__ import annotations

import re

import pytest

from gateway.telemetry.metrics import TABLE
from tests.deploy.monitored import ROOT, alerts, expressions, panels

KINDS = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    metric.name + ending: {*metric.labels, "job", "instance", *(["le"] if ending == "_bucket" else [])}
    for metric in TABLE
    for ending in KINDS[metric.kind]
}
"""The names that Prometheus keeps them under, with their labels."""
SELECTED = re.compile(r"(gateway_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"by \(([^)]*)\)")
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("expr", expressions())
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expr: str) -> None:
    """And puts together by no label that none of them has: such a sum would be one line without a name."""
    asked = SELECTED.findall(expr)
    assert asked
    for name, matchers in asked:
        assert name in SERIES
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)) <= SERIES[name]
    grouped = {label for found in GROUPED.findall(expr) for label in re.findall(r"\w+", found)}
    assert grouped <= set.union(*(SERIES[name] for name, _ in asked))


def test_each_metric_is_on_the_dashboard() -> None:
    """Who adds one adds a panel, or a line to one."""
    shown = " ".join(expr for _, found in panels() for expr in found)
    assert [metric.name for metric in TABLE if metric.name not in shown] == []


def test_each_alert_says_what_to_do_and_nothing_else_is_explained() -> None:
    """An entry of docs/operations.md for each, in the same order; its annotation leads there."""
    section = RUNBOOK.partition("\n## Monitoring\n")[2].partition("\n## ")[0]
    names = [str(rule["alert"]) for rule in alerts()]
    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == names
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_each_alert_is_raised_once_in_the_tests_of_the_rules_and_once_not() -> None:
    """``promtool test rules`` says nothing of a rule that no test asks for."""
    tried = (ROOT / "tests" / "monitoring" / "alerts_test.yaml").read_text()
    for rule in alerts():
        asked = re.findall(rf"alertname: {rule['alert']}(, exp_alerts)?", tried)
        assert "" in asked, rule["alert"]
        assert ", exp_alerts" in asked, rule["alert"]
