"""What `make` sets up: a virtual environment of the right Python, and the programs that somebody needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs import ROOT

PYTHON = """\
#!/bin/sh
case $1 in
  -c) {answers} ;;
  -m) mkdir -p "$4/bin"; echo "made with $0" >> "$4/log"; cp "$0" "$4/bin/pip"
      printf 'version = {version}\\nexecutable = %s\\n' "$0" > "$4/pyvenv.cfg" ;;
esac
"""
"""An interpreter as far as requirements/python.sh asks: what it says of itself, and `-m venv --clear DIRECTORY`."""
APT = """\
#!/bin/sh
echo "$@" >> "{log}"
case "$1" in install) {installs} ;; esac
"""


@dataclass
class Machine:
    """One with nothing on its PATH but what the scripts themselves use and what is put there."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def program(self, name: str, text: str) -> Path:
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, name: str, version: str, *, works: bool = True) -> Path:
        """An interpreter that says it is of this version; or one that fails, like the shim of a version not chosen."""
        place = self.bin / name
        answers = f'echo "{version} {place}"' if works else "exit 127"
        return self.program(name, PYTHON.format(answers=answers, version=version))

    def apt(self, installs: str) -> None:
        """:param installs: what happens when something is installed, for a shell."""
        self.program("apt-get", APT.format(log=self.root / "apt.log", installs=installs))

    @property
    def installed(self) -> list[str]:
        """What apt was asked for."""
        log = self.root / "apt.log"
        asked = log.read_text().splitlines() if log.exists() else []
        return [
            word
            for line in asked
            if line.startswith("install")
            for word in line.split()[1:]
            if word[0] != "-"
        ]

    def run(self, script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(self.root / script), *arguments]
        path = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.root)}
        return subprocess.run(
            command, env={**path, **environ}, capture_output=True, text=True, timeout=60, check=False
        )

    def made_with(self, **environ: str) -> str:
        """The Python of which `requirements/python.sh` makes an environment."""
        ran = self.run("requirements/python.sh", str(self.root / "venv"), **environ)
        assert ran.returncode == 0, ran.stderr
        found = re.search(r"^executable = (.*)$", (self.root / "venv/pyvenv.cfg").read_text(), re.MULTILINE)
        assert found is not None
        return Path(found[1]).name


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for place in (
        "requirements/python.sh",
        "requirements/apt.sh",
        "requirements/programs",
        "tests/servers.sh",
    ):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    here = Machine(tmp_path)
    here.program("sudo", '#!/bin/sh\nexec "$@"\n')
    return here


def test_the_newest_that_works_is_taken(machine: Machine) -> None:
    """By its version and not by its name; names of shims that do not run are passed over."""
    machine.python("python3", "3.13.5")
    machine.python("python3.11", "3.11.2")
    machine.python("python3.12", "3.12.1", works=False)
    machine.python("python3.14", "3.14.0", works=False)
    assert machine.made_with() == "python3"
    machine.python("python3.14", "3.14.0")
    assert machine.made_with() == "python3.14"
    machine.python("python3.9", "3.9.9")
    assert machine.made_with() == "python3.14"


def test_an_environment_of_this_very_python_is_left_alone(machine: Machine) -> None:
    """Made once; again when the Python is another, or when its making was broken off."""
    log = machine.root / "venv" / "log"
    machine.python("python3.11", "3.11.2")
    for _ in range(2):
        assert machine.made_with() == "python3.11"
    assert len(log.read_text().splitlines()) == 1
    machine.python("python3.11", "3.11.9")
    machine.made_with()
    assert len(log.read_text().splitlines()) == 2
    (machine.root / "venv" / "bin" / "pip").unlink()
    machine.made_with()
    assert len(log.read_text().splitlines()) == 3


def test_the_choice_can_be_overridden(machine: Machine) -> None:
    """By a name or a path; one that is not good enough is refused, not replaced."""
    machine.python("python3.13", "3.13.5")
    mine = machine.python("mine", "3.11.2")
    assert machine.made_with(PYTHON="mine") == "mine"
    assert machine.made_with(PYTHON=str(mine)) == "mine"
    machine.python("broken", "3.13.5", works=False)
    for name in ("broken", "missing"):
        ran = machine.run("requirements/python.sh", str(machine.root / "venv"), PYTHON=name)
        assert ran.returncode == 1
        assert f"PYTHON={name} is not CPython 3.11 or newer that imports" in ran.stderr
    assert machine.installed == []


def test_where_there_is_none_the_distribution_brings_it(machine: Machine) -> None:
    """Together with the part that Debian keeps in a package of its own."""
    machine.python("python3", "3.13.5", works=False)
    good = machine.python("good", "3.13.5")
    machine.apt(f'cp "{good}" "{machine.bin / "python3"}"')
    assert machine.made_with() == "good"
    assert machine.installed == ["python3", "python3-venv"]


@pytest.mark.parametrize("installs", [True, False], ids=["apt brings no good one", "no apt"])
def test_without_any_it_says_what_to_install(machine: Machine, *, installs: bool) -> None:
    """And makes nothing."""
    if installs:
        machine.apt("")
    ran = machine.run("requirements/python.sh", str(machine.root / "venv"))
    assert ran.returncode == 1
    assert "no CPython 3.11 or newer" in ran.stderr if installs else "there is no apt-get" in ran.stderr
    assert not (machine.root / "venv").exists()


@pytest.mark.parametrize("lacks", ["", "ssl", "venv", "ensurepip", "sqlite3"])
def test_a_real_python_is_asked_what_it_can(machine: Machine, lacks: str) -> None:
    """This one is good enough; without a module that is needed it is not."""
    without = f"import sys; sys.modules['{lacks}'] = None; " if lacks else ""
    answers = f'exec "{sys.executable}" -c "{without}$2"'
    machine.program("mine", PYTHON.format(answers=answers, version="-"))
    machine.program("../venv/bin/pip", "")
    version = ".".join(map(str, sys.version_info[:3]))
    stamp = f"version = {version}\nexecutable = {Path(sys.executable).resolve()}\n"
    (machine.root / "venv" / "pyvenv.cfg").write_text(stamp)  # so nothing is to be made
    ran = machine.run("requirements/python.sh", str(machine.root / "venv"), PYTHON="mine")
    if lacks:
        assert (ran.returncode, "is not CPython 3.11 or newer" in ran.stderr) == (1, True)
    else:
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.fixture
def few(machine: Machine) -> Machine:
    """A machine whose table has a few programs, two of them missing."""
    (machine.root / "requirements" / "programs").write_text(
        "# a remark\n"
        "sh     dash    tests,bench  ls\n"
        "ls     coreutils tests\n"
        "/nowhere/module.so  the-module  bench\n"
        "gateway-one    one    tests\n"
        "gateway-two    two    bench\n"
        "gateway-three  -      tests\n"
    )
    one = machine.program("spare", "#!/bin/sh\n")
    (machine.root / "requirements" / "apt.sh").write_text(
        f'echo install "$@" >> "{machine.root}/apt.log"; cp "{one}" "{machine.bin}/gateway-one"\n'
    )
    return machine


def links(machine: Machine, who: str) -> list[str]:
    return sorted(
        path.name for path in (machine.root / "build" / "programs" / who).iterdir() if path.name[0] != "."
    )


def test_what_is_missing_is_installed_and_linked(few: Machine) -> None:
    """For whom it is asked; what may be missing is, and the next time nothing is done."""
    ran = few.run("tests/servers.sh")
    assert ran.returncode == 0, ran.stderr
    assert few.installed == ["one"]
    assert links(few, "tests") == ["gateway-one", "ls", "sh"]
    made = (few.root / "build" / "programs" / "tests").stat().st_ino
    assert few.run("tests/servers.sh", "tests").returncode == 0
    assert few.installed == ["one"]
    assert (few.root / "build" / "programs" / "tests").stat().st_ino == made
    assert few.run("tests/servers.sh", "bench").returncode == 0
    assert few.installed == ["one", "the-module", "two"]
    assert [path.name for path in (few.root / "build" / "programs").iterdir() if path.name[0] == "."] == []


def test_what_left_the_table_leaves_the_links(few: Machine) -> None:
    """And what came is there."""
    few.run("tests/servers.sh")
    table = few.root / "requirements" / "programs"
    table.write_text(
        table.read_text().replace("gateway-one    one    tests\n", "").replace("-      tests", "x bench")
    )
    few.program("gateway-three", "#!/bin/sh\n")
    assert few.run("tests/servers.sh").returncode == 0
    assert links(few, "tests") == ["ls", "sh"]


def test_a_link_keeps_the_name(few: Machine) -> None:
    """Of a program that is itself a link to another: it looks at its own name."""
    few.program("redis-check", '#!/bin/sh\necho "I am ${0##*/}"\n')
    (few.bin / "gateway-one").symlink_to("redis-check")
    few.run("tests/servers.sh")
    linked = few.root / "build" / "programs" / "tests" / "gateway-one"
    assert subprocess.run([linked], capture_output=True, text=True, check=True).stdout == "I am gateway-one\n"


def test_a_bare_root_is_not_made_without_its_tools() -> None:
    """It needs root and debootstrap, says so, and knows no mirror but this machine's own."""
    script = ROOT / "tests" / "bare_root.sh"
    ran = subprocess.run(["bash", script, "trixie"], capture_output=True, text=True, timeout=60, check=False)
    wanted = "debootstrap is missing" if os.geteuid() == 0 else "only root can make one"
    assert (ran.returncode, wanted in ran.stderr) == (1, True)
    assert "://" not in re.sub(r"file://|127\.0\.0\.1", "", script.read_text())


def test_the_versions_that_were_tried_are_named() -> None:
    """`pyproject.toml` begins where requirements/python.sh does, and the locks are made for all from there up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [
        tuple(map(int, version.split(".")))
        for line in project["classifiers"]
        if (version := line.removeprefix("Programming Language :: Python :: ")) != line
    ]
    lowest = ".".join(map(str, min(named)))
    assert project["requires-python"] == f">={lowest}"
    assert f"sys.version_info >= {min(named)}" in (ROOT / "requirements" / "python.sh").read_text()
    assert (
        f"--universal --generate-hashes --no-header --no-emit-index-url --python-version {lowest} "
        in (ROOT / "Makefile").read_text()
    )
