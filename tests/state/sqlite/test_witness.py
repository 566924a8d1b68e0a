"""What is written down outside of the log's directory, and who else could write there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.signout.revocation import UNPLACED
from gateway.state.sqlite import witness as module
from gateway.state.sqlite.witness import LINES, Witness

LOG, OTHER = "00112233445566778899aabbccddeeff", "f" * 32


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place of the running system that there is."""
    monkeypatch.setattr(module, "_MEMORY", str(tmp_path / "nowhere"))
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def make(tmp_path: Path, runtime: Path) -> Callable[[], Witness]:
    """A witness as another process has it."""
    state = tmp_path / "state" / "state.db"
    state.parent.mkdir()
    return lambda: Witness(state, {"RUNTIME_DIRECTORY": str(runtime)})


def file_in(runtime: Path) -> Path:
    (file,) = runtime.iterdir()
    return file


def test_r04_another_process_knows_the_furthest_position(make: Callable[[], Witness]) -> None:
    """Of each log; a slower process does not undo what a faster one has seen."""
    one, other = make(), make()
    one.note(LOG, 9)
    other.note(LOG, 7)
    other.note(OTHER, 3)

    assert (make().remembered(LOG), make().remembered(OTHER)) == (9, 3)
    assert make().remembered("0" * 32) == 0
    assert one.trouble == other.trouble == ""


def test_r04_a_retired_log_stays_retired(make: Callable[[], Witness]) -> None:
    """No copy of it is ever as far, and a process that has not heard of it changes nothing."""
    make().retire(LOG)
    make().note(LOG, 5)

    assert make().remembered(LOG) == UNPLACED


def test_the_latest_logs_are_kept(make: Callable[[], Witness], runtime: Path) -> None:
    """The file stays small."""
    ids = [f"{number:032x}" for number in range(LINES + 3)]
    for log_id in ids:
        make().note(log_id, 5)

    assert [make().remembered(log_id) for log_id in ids] == [0] * 3 + [5] * LINES
    assert file_in(runtime).stat().st_size < 600
    assert file_in(runtime).stat().st_mode & 0o777 == 0o600


def test_a_removed_file_is_made_anew(make: Callable[[], Witness], runtime: Path) -> None:
    """By the next note, with what is known then."""
    one = make()
    one.note(LOG, 5)
    file_in(runtime).unlink()
    assert one.remembered(LOG) == 0
    one.note(LOG, 6)

    assert make().remembered(LOG) == 6


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=st.binary(max_size=300))
def test_any_content_is_no_witness(make: Callable[[], Witness], runtime: Path, content: bytes) -> None:
    """And none can make it say something of a log of ours; the next note counts."""
    make().note(LOG, 5)
    file_in(runtime).write_bytes(content)
    assert make().remembered(LOG) == 0
    make().note(LOG, 6)

    assert make().remembered(LOG) == 6


def link(file: Path, elsewhere: Path) -> None:
    elsewhere.write_bytes(file.read_bytes())
    elsewhere.chmod(0o600)
    file.unlink()
    file.symlink_to(elsewhere)


def second_name(file: Path, elsewhere: Path) -> None:
    os.link(file, elsewhere)


def readable(file: Path, _: Path) -> None:
    file.chmod(0o640)


def pipe(file: Path, _: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def directory(file: Path, _: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("change", [link, second_name, readable, pipe, directory])
def test_what_somebody_else_may_have_put_there_is_not_touched(
    make: Callable[[], Witness], runtime: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    """A link, a second name, a file that others read, no file: neither read nor written, and said."""
    make().note(LOG, 5)
    elsewhere = tmp_path / "elsewhere"
    change(file_in(runtime), elsewhere)
    before = elsewhere.read_bytes() if elsewhere.exists() else b""
    one = make()
    one.note(LOG, 9)

    assert one.trouble
    assert make().remembered(LOG) == 0
    assert (elsewhere.read_bytes() if elsewhere.exists() else b"") == before


def test_a_file_of_another_user_is_not_touched(
    make: Callable[[], Witness], runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory where all may make files, its name can be taken before."""
    make().note(LOG, 5)
    runtime.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345 if os.getuid() != 12_345 else 12_346)
    one = make()
    one.note(LOG, 9)

    assert one.trouble
    assert one.remembered(LOG) == 0


def test_a_directory_in_which_others_may_rename_is_not_used(
    make: Callable[[], Witness], runtime: Path
) -> None:
    """Unless each may rename only what is their own, as in /dev/shm."""
    runtime.chmod(0o777)
    one = make()
    one.note(LOG, 5)
    assert one.trouble
    assert list(runtime.iterdir()) == []
    runtime.chmod(0o1777)
    one.note(LOG, 5)

    assert one.trouble == ""
    assert one.remembered(LOG) == 5


def test_the_first_directory_that_can_be_used_is_taken(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one below the state's own, which would be restored with it."""
    state = tmp_path / "state" / "state.db"
    (below := state.parent / "run").mkdir(parents=True)
    (last := tmp_path / "memory").mkdir()
    monkeypatch.setattr(module, "_MEMORY", str(last))
    places = {"RUNTIME_DIRECTORY": f"{below}:{tmp_path}/none", "XDG_RUNTIME_DIR": str(runtime)}
    Witness(state, places).note(LOG, 1)
    assert len(list(runtime.iterdir())) == 1
    Witness(state, {"XDG_RUNTIME_DIR": "run"}).note(LOG, 1)

    assert len(list(last.iterdir())) == 1
    assert list(below.iterdir()) == []


def test_each_state_file_has_its_own(tmp_path: Path, runtime: Path) -> None:
    """Two deployments of one user on a host."""
    places = {"RUNTIME_DIRECTORY": str(runtime)}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Witness(tmp_path / name / "state.db", places).note(LOG, 1)

    assert len(list(runtime.iterdir())) == 2
