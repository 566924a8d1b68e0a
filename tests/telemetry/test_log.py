"""The log: one form for everybody's lines, levels, and the access line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.log import (
    TOGETHER,
    AccessLines,
    configure,
    get_logger,
    parameter_names,
    session_mark,
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was before."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object() -> None:
    """With level, time and the part that speaks; bound fields are in it."""
    stream = io.StringIO()
    configure(stream=stream)
    get_logger("state").bind(route="/").warning("state_log_made", path="/x", text="two\nlines")

    (line,) = lines(stream)
    assert line["event"] == "state_log_made"
    assert line["level"] == "warning"
    assert line["part"] == "state"
    assert line["route"] == "/"
    assert line["text"] == "two\nlines"
    assert isinstance(line["time"], float)


def test_lines_below_the_level_are_not_written() -> None:
    """A logger made before follows a later set-up."""
    stream = io.StringIO()
    logger = get_logger("x")
    configure("error", stream=stream)
    logger.warning("no")
    logger.error("yes")
    configure("debug", stream=stream)
    logger.debug("debug")

    assert [line["event"] for line in lines(stream)] == ["yes", "debug"]


def test_libraries_speak_the_same_form() -> None:
    """Lines through logging have the same fields and the same redaction."""
    stream = io.StringIO()
    configure(stream=stream)
    logging.getLogger("aiohttp.server").error("bad %s", "/a?code=secret")
    logging.getLogger("aiohttp.server").info("chatter")

    (line,) = lines(stream)
    assert line["event"] == "bad /a?code"
    assert line["level"] == "error"


def test_exceptions_are_told_and_redacted() -> None:
    """The traceback is in the line, without the secrets that an error quotes."""
    stream = io.StringIO()
    configure(stream=stream)
    try:
        raise ValueError("no such /cb?code=s3cret")
    except ValueError:
        get_logger("x").exception("failed")
        logging.getLogger("lib").exception("failed too")

    for line in lines(stream):
        assert "ValueError" in str(line["exception"])
        assert "s3cret" not in json.dumps(line)


def test_the_readable_form_is_for_people() -> None:
    """One line, no JSON, same redaction."""
    stream = io.StringIO()
    configure(stream=stream, readable=True)
    get_logger("x").info("signed_in", user="alice", token="t0ken")

    assert "signed_in" in stream.getvalue()
    assert "alice" in stream.getvalue()
    assert "t0ken" not in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def access(stream: io.StringIO, readable: bool = False, **changed: object) -> str:
    given_ = {
        "method": "GET",
        "path": '/a"b\n\u00e9',
        "parameters": parameter_names("q=secret&page=2"),
        "status": 200,
        "seconds": 0.01234,
        "sent": 512,
        "sid": "the-sid",
        "request_id": "r1",
    } | changed
    log = AccessLines(stream, readable=readable)
    log.access(**given_)  # type: ignore[arg-type]  # any of its fields
    log.flush()
    return stream.getvalue()


@pytest.mark.parametrize("readable", [False, True])
def test_r34_the_access_line_has_no_token_of_a_path(readable: bool) -> None:
    """An application's link with a token in it is good for whoever reads the log."""
    token = "3f786850e387550fdab836ed7e6dc881de23001b"
    line = access(io.StringIO(), readable, path=f"/reset/{token}")
    assert token not in line
    assert "/reset/" in line


def test_r34_the_access_line_has_names_only() -> None:
    """Method, path, parameter names, status, time, bytes, the session's mark and the request id."""
    line = json.loads(access(io.StringIO()))

    assert line.pop("time") > 1e9
    assert line == {
        "event": "access",
        "level": "info",
        "method": "GET",
        "path": '/a"b\n\u00e9',
        "parameters": ["q", "page"],
        "status": 200,
        "ms": 12.34,
        "bytes": 512,
        "session": session_mark("the-sid"),
        "request": "r1",
    }


def test_the_access_line_can_be_readable() -> None:
    """Control characters of a path cannot begin a line of their own."""
    text = access(io.StringIO(), readable=True, sid=None)

    assert text.count("\n") == 1
    assert "?q&page" in text
    assert "session=-" in text
    assert "secret" not in text


def test_a_session_is_named_by_a_hash() -> None:
    """Same sid, same mark; the sid is not in it."""
    assert session_mark("abc") == session_mark("abc") != session_mark("abd")
    assert len(session_mark("abc")) == 12
    assert "abc" not in session_mark("abcabcabcabc")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", []),
        ("a=1&b=2&a=3", ["a", "b", "a"]),
        ("flag&x=", ["flag", "x"]),
        ("eyJhbGciOiJSUzI1NiJ9eyJzdWIiOiJhbGljZSJ9abc", ["?"]),
        ("a%20b=1&=x&&items[0].id=3", ["?", "", "items[0].id"]),
    ],
)
def test_parameter_names(query: str, names: list[str]) -> None:
    """A name that could be a value, or is not plain, is not told."""
    assert parameter_names(query) == names


def test_parameter_names_are_bounded() -> None:
    """A request cannot make a line of any length."""
    assert len(parameter_names("&".join(f"p{n}=1" for n in range(1000)))) == 20


@given(st.text(), st.text(), st.text())
def test_any_request_makes_one_line_of_json(method: str, path: str, query: str) -> None:
    """Whatever a client sends."""
    text = access(io.StringIO(), method=method, path=path, parameters=parameter_names(query))

    assert text.count("\n") == 1
    assert json.loads(text)["path"] == path


class Pieces(io.StringIO):
    """Remembers what it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def write(self, text: str) -> int:
        self.given.append(text)
        return super().write(text)


def test_access_lines_are_written_together_and_whole() -> None:
    """So many as a pipe takes in one piece, whoever else writes to it; a longer line goes by itself."""
    pieces = Pieces()
    log = AccessLines(pieces)
    sizes = [*range(1, 60), TOGETHER + 1, 5]
    for number, size in enumerate(sizes):
        log.access(
            method="GET", path="/" + "x" * size, parameters=(), status=200, seconds=0.1, sent=1, sid=None,
            request_id=str(number),
        )  # fmt: skip
    waiting = len(pieces.given)
    log.flush()
    log.flush()

    assert len(pieces.given) == waiting + 1 < len(sizes) / 10
    assert all(piece.endswith("}\n") for piece in pieces.given)
    assert [len(piece) > TOGETHER for piece in pieces.given].count(True) == 1
    told = [json.loads(line)["request"] for line in pieces.getvalue().splitlines()]
    assert told == [str(number) for number in range(len(sizes))]
