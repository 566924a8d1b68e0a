"""The address of a forward proxy."""

from __future__ import annotations

import pytest

from gateway.settings.bad_value import BadValueError
from gateway.settings.proxies import ProxyUrl, parse_proxy
from gateway.settings.secret_files import Secret


@pytest.mark.parametrize(
    ("text", "user", "password", "printed"),
    [
        ("http://Proxy.corp.test:3128", "", None, "http://proxy.corp.test:3128"),
        ("http://proxy/", "", None, "http://proxy"),
        ("proxy:3128", "", None, "http://proxy:3128"),
        ("[::1]:3128", "", None, "http://[::1]:3128"),
        ("http://me@proxy:1", "me", None, "http://proxy:1"),
        ("http://me:p%40ss%2F:x@proxy:1", "me", "p@ss/:x", "http://proxy:1"),
    ],
)
def test_a_proxy_is_an_origin_with_who_asks_it(text, user, password, printed):
    """The scheme may be left out, as in HTTPS_PROXY it often is; the password never shows."""
    proxy = parse_proxy(text)
    assert proxy == ProxyUrl(printed, user, password and Secret(password))
    assert str(proxy) == printed
    assert password is None or password not in repr(proxy)


def test_none_is_no_proxy():
    """Whatever the environment says."""
    assert parse_proxy("none") is None


@pytest.mark.parametrize(
    "text",
    [
        "socks5://proxy:1080",
        "https://proxy:3128",
        "ftp://proxy",
        "http://proxy:3128/path",
        "http://",
        "http://a b:1",
        7,
        "http://me:hush\n@proxy",
        "http://me%3Ayou:hush@proxy",
        "http://me:hush@proxy:x",
    ],
)
def test_what_is_not_spoken_to_is_refused(text):
    """And a password in it is not repeated."""
    with pytest.raises(BadValueError) as refused:
        parse_proxy(text)
    assert "http://host:port" in refused.value.fix
    assert "hush" not in refused.value.what
