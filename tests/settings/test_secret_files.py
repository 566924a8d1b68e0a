"""Reading secrets, and naming files without telling secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings.secret_files import named, read_secret, read_text


def test_file_names_are_shown(tmp_path):
    """What has the look of a file name helps to find the file."""
    assert named(tmp_path / "session-key") == str(tmp_path / "session-key")
    assert named(tmp_path / "tls.key") == str(tmp_path / "tls.key")


def test_the_text_of_a_file_is_all_of_it(tmp_path):
    """Nothing is stripped before the secret's own rules."""
    (tmp_path / "x").write_text(" a \n")

    assert read_text(tmp_path / "x") == " a \n"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_one_line_end_is_dropped(tmp_path, ending):
    """Editors and `echo` add one; spaces inside belong to the secret."""
    (tmp_path / "x").write_text(f"two words{ending}", newline="")

    assert read_secret(tmp_path / "x").text == "two words"


def test_a_file_that_cannot_be_read_is_named_with_the_reason():
    """Whoever may open it: the system says why, and nothing of the file is told."""
    with pytest.raises(ConfigurationError, match=r"/proc/self/mem.* cannot be read \(input/output error\)"):
        read_text(Path("/proc/self/mem"))


def test_a_pipe_is_not_waited_for(tmp_path):
    """Opening it would hang the start for ever."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigurationError, match="is not a file"):
        read_text(tmp_path / "pipe")
