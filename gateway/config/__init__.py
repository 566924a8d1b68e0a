"""The configuration: one YAML file and the environment, read in three passes.

* ``yaml_tree.py``, ``environment.py``: what is written, and where
* ``gateway/settings/`` has every key; ``fields.py`` reads them one by one
* ``rules.py`` and the other ``…_rules.py``: what keys say about each other and about files

A *finding* is one thing to fix; all are found before any is shown.
"""

from gateway.config.findings import ConfigurationErrors, Finding, Severity
from gateway.config.loading import CheckResult, examine, load
from gateway.settings.model import Settings

__all__ = ["CheckResult", "ConfigurationErrors", "Finding", "Settings", "Severity", "examine", "load"]
