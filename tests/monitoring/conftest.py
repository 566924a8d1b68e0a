"""Prometheus, besides the programs of the other tests."""

from __future__ import annotations

from tests import programs

programs.only("tests", "monitoring")
