"""Where the log is: files by absolute path, servers, Sentinels and clusters by URL."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.bad_value import BadValueError
from gateway.settings.state_urls import RedisUrl, SqliteUrl, parse_prefix, parse_state


@pytest.mark.parametrize(
    "text", ["sqlite:///var/lib/gateway/state.db", "sqlite:////var/lib/gateway/state.db"]
)
def test_a_file_has_an_absolute_path(text):
    """Three slashes, the third begins the path; four, as SQLAlchemy writes it, mean the same."""
    assert parse_state(text) == SqliteUrl(Path("/var/lib/gateway/state.db"))
    assert str(parse_state(text)) == "sqlite:///var/lib/gateway/state.db"


@pytest.mark.parametrize(
    "text", ["state.db", "sqlite://state.db", "sqlite:state.db", "sqlite:///var/", "postgres://x"]
)
def test_other_logs_are_refused(text):
    """A relative log would be another one after each change of directory."""
    with pytest.raises(BadValueError, match="sqlite:///absolute/path"):
        parse_state(text)


@pytest.mark.parametrize(
    ("text", "url", "printed"),
    [
        ("redis://redis", RedisUrl((("redis", 6379),)), "redis://redis:6379/0"),
        ("redis://redis:1/", RedisUrl((("redis", 1),)), "redis://redis:1/0"),
        ("rediss://[::1]:6380/3", RedisUrl((("::1", 6380),), db=3, tls=True), "rediss://[::1]:6380/3"),
        (
            "redis+sentinel://A,b:1/my.master",
            RedisUrl((("a", 26379), ("b", 1)), "sentinel", "my.master"),
            "redis+sentinel://a:26379,b:1/my.master/0",
        ),
        (
            "rediss+sentinel://a/mymaster/2",
            RedisUrl((("a", 26379),), "sentinel", "mymaster", 2, tls=True),
            "rediss+sentinel://a:26379/mymaster/2",
        ),
        (
            "redis+cluster://a,b,c:7000",
            RedisUrl((("a", 6379), ("b", 6379), ("c", 7000)), "cluster"),
            "redis+cluster://a:6379,b:6379,c:7000",
        ),
    ],
)
def test_redis_urls(text, url, printed):
    """A server, Sentinels with the service they watch, nodes of a cluster; with TLS by one more s."""
    assert parse_state(text) == url
    assert str(url) == printed
    assert parse_state(printed) == url


def redis_url(text: str) -> RedisUrl:
    url = parse_state(text)
    assert isinstance(url, RedisUrl)
    return url


def test_user_and_password_are_decoded_and_not_printed() -> None:
    """Percent-encoding is for what a URL cannot hold."""
    url = redis_url("redis://ga%40te:hun%2Fter2@redis:6379/0")

    assert url.password is not None
    assert (url.username, url.password.text) == ("ga@te", "hun/ter2")
    assert "hun" not in str(url) + repr(url)
    assert redis_url("redis://:hunter2@redis").username == ""
    assert redis_url("redis://gateway@redis").password is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "redis:",
            "redis://",
            "redis:///0",
            "redis://a,b/0",
            "redis://a/x",
            "redis://a/0/1",
            "redis://a/0?x=1",
        ),
        *(
            "redis://a:99999/0",
            "redis://a:x/0",
            "redis://::1/0",
            "redis://[a]/0",
            "redis://-a/0",
            "redis://a /0",
        ),
        *(
            "redis+sentinel://a",
            "redis+sentinel://a//0",
            "redis+sentinel://a/m/x",
            "redis+sentinel://a/m/0/1",
        ),
        *("redis+cluster://a/0", "redis+other://a", "redisss://a", "redis://u:p@x@a/0", "redis://a#0"),
    ],
)
def test_what_is_no_redis_url_is_refused(text):
    """With how to write one."""
    with pytest.raises(BadValueError) as caught:
        parse_state(text)

    assert "redis" in caught.value.fix


@given(st.text(max_size=40))
def test_no_finding_repeats_any_part_of_a_redis_url(text):
    """What cannot be read may be a password anywhere."""
    try:
        url = parse_state(f"redis://:hunter2@{text}")
    except BadValueError as error:
        assert "hunter2" not in f"{error.what} {error.fix}"
    else:
        assert "hunter2" not in str(url)


@pytest.mark.parametrize("text", ["", "a b", "a{b}", "a" * 65, "\u00e9", None])
def test_a_prefix_is_plain(text):
    """Braces would move the keys to another slot of a cluster."""
    with pytest.raises(BadValueError, match="prefix"):
        parse_prefix(text)
    assert parse_prefix("prod:app-1") == "prod:app-1"
