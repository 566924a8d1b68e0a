"""The unit for systemd: no more rights than are needed, and the limits that the gateway's pages speak of."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

from gateway.settings.sections import TimeoutsSection
from gateway.settings.units import parse_duration
from tests.deploy.manifests import WORST_CASE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"


def unit() -> dict[str, list[str]]:
    """The section ``[Service]``; what stands several times has several values."""
    text = (FOLDER / "gateway.service").read_text().partition("[Service]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            key, sign, value = line.partition("=")
            assert sign, line
            found[key].append(value)
    return found


def test_its_commands_are_the_gateways() -> None:
    """With the configuration that it may read, and without a shell."""
    service = unit()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for command in service["ExecStartPre"] + service["ExecStart"]:
        program, verb, *rest = command.split()
        assert Path(program).name in scripts
        assert verb in {"check", "serve"}
        assert rest == ["-c", "/etc/gateway/gateway.yaml"]
        (paths,) = service["ReadOnlyPaths"]
        assert all(any(each.startswith(path) for path in paths.split()) for each in (program, rest[1]))


def test_its_limits_are_those_that_the_pages_speak_of() -> None:
    """Memory for the worst case twice and more, open files above what the gateway complains of, time for the drain."""
    service = unit()
    (high,), (most,) = service["MemoryHigh"], service["MemoryMax"]
    assert (
        WORST_CASE * 2
        <= int(high.removesuffix("M")) * 1024 * 1024
        < int(most.removesuffix("M")) * 1024 * 1024
    )
    (files,) = service["LimitNOFILE"]
    (least,) = re.findall(r"`few_open_files` \| the hard limit is below ([\d,]+)", _page("operations"))
    assert int(files) >= int(least.replace(",", ""))
    accept, drain = (
        parse_duration(TimeoutsSection.__dataclass_fields__[name].metadata["default"])
        for name in ("drain_accept", "drain")
    )
    (stops,) = service["TimeoutStopSec"]
    assert int(stops) > accept + drain
    assert service["KillMode"] == ["mixed"], "SIGTERM to the workers too would end them at once"


def test_the_witness_of_the_state_outlives_a_restart() -> None:
    """docs/operations.md, "Backup and restore"; and nothing but its state and its witness is written to."""
    service = unit()
    assert service["StateDirectory"] == service["RuntimeDirectory"] == ["gateway"]
    assert service["RuntimeDirectoryPreserve"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert "ReadWritePaths" not in service
    assert "ProcSubset" not in service, "it hides the boot id"


def test_it_has_no_rights_but_to_listen() -> None:
    """Everything that ``systemd-analyze security`` asks for and that does not keep it from serving."""
    service = unit()
    for key in (
        "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute", "LockPersonality",
        "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "RemoveIPC", "ProtectClock", "ProtectHostname",
        "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups",
    ):  # fmt: skip
        assert service[key] == ["true"], key
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert service["SystemCallFilter"][0] == "@system-service"
    assert service["SystemCallFilter"][1].startswith("~")


def test_its_user_is_made_and_reads_what_only_root_writes() -> None:
    """The three files speak of one user and of the same directories."""
    user = unit()["User"][0]
    (line,) = (FOLDER / "gateway.sysusers").read_text().splitlines()
    assert line.split()[:2] == ["u", user]
    for line in (FOLDER / "gateway.tmpfiles").read_text().splitlines():
        if not line.startswith("#"):
            _, path, mode, owner, group = line.split()
            assert path.startswith("/etc/gateway")
            assert (owner, group) == ("root", user)
            assert mode[-1] == "0"
            assert int(mode[-2]) & 2 == 0


def _page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()
