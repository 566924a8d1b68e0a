"""Answers become what Envoy acts on: what the application hears, what it must not hear, what the browser gets."""

from __future__ import annotations

from multidict import CIMultiDict

from gateway.web.ext_authz.messages_pb2 import CheckResponse
from gateway.web.ext_authz.verdict import denied, passed
from gateway.web.messages import Response

PASS = Response(
    200,
    CIMultiDict(
        [
            ("Cache-Control", "no-store"),
            ("X-Auth-Request-User", "alice@example.com"),
            ("X-Auth-Request-Groups", ""),
            ("Set-Cookie", "__Host-session_1=a; Path=/; Secure"),
            ("Set-Cookie", "__Host-session_2=b; Path=/; Secure"),
        ]
    ),
)


def told(options: object) -> list[tuple[str, str, bool, int]]:
    assert isinstance(options, list)
    return [
        (each.header.key, each.header.value, each.HasField("append"), each.append_action) for each in options
    ]


def ok(
    headers: list[tuple[bytes, bytes]], taken_out: tuple[bytes, ...] = (), response: Response = PASS
) -> CheckResponse:
    return CheckResponse.FromString(passed(response, headers, taken_out))


def names(options: object) -> list[str]:
    return [each.header.key for each in options]  # type: ignore[attr-defined]  # a list of protobuf's own


def test_r31_who_it_is_overwrites_what_a_client_said_and_what_is_unknown_is_removed() -> None:
    """Old versions of Envoy go by `append`, new ones by `append_action`; both say the same."""
    answer = ok([])
    assert answer.status.code == 0
    assert told(list(answer.ok_response.headers)) == [("x-auth-request-user", "alice@example.com", True, 2)]
    assert not answer.ok_response.headers[0].append.value
    assert list(answer.ok_response.headers_to_remove) == ["x-auth-request-groups"]


def test_a_clients_copies_are_removed_and_never_what_we_say_ourselves() -> None:
    """Whichever of the two lists a version of Envoy applies last."""
    answer = ok([], (b"Remote-User", b"x_auth_request_user", b"X-Auth-Request-User"))
    removed = list(answer.ok_response.headers_to_remove)
    assert removed == ["remote-user", "x-auth-request-groups", "x_auth_request_user"]
    assert not set(removed) & set(names(answer.ok_response.headers))


def test_cookies_of_a_pass_are_added_each_for_itself() -> None:
    """`Set-Cookie` of the application stays: nothing is overwritten, and nothing joined by a comma."""
    added = told(list(ok([]).ok_response.response_headers_to_add))
    assert added == [
        ("set-cookie", "__Host-session_1=a; Path=/; Secure", False, 0),
        ("set-cookie", "__Host-session_2=b; Path=/; Secure", False, 0),
    ]


def test_the_gateways_cookies_stay_with_the_gateway() -> None:
    """What is left goes on; where nothing is left no header does; where none was ours nothing is said of it."""
    kept = ok([(b"cookie", b"a=1; __Host-session=x"), (b"Cookie", b"b=2")])
    assert ("cookie", "a=1; b=2", True, 2) in told(list(kept.ok_response.headers))
    gone = ok([(b"cookie", b"__Host-session=x")])
    assert "cookie" in gone.ok_response.headers_to_remove
    same = ok([(b"cookie", b"a=1")])
    assert "cookie" not in [*names(same.ok_response.headers), *same.ok_response.headers_to_remove]


def test_cookies_that_are_no_text_do_not_go_on_beside_ours() -> None:
    """No text of this protocol can hold them, and with ours they must not pass."""
    answer = ok([(b"cookie", b"a=\xff; __Host-session=x")])
    assert "cookie" in answer.ok_response.headers_to_remove


def test_a_refusal_goes_to_the_browser_as_it_is() -> None:
    """Status, headers, several cookies, body; none of it is a pass."""
    for status, code in ((302, 7), (401, 16), (403, 7), (503, 7)):
        page = Response(
            status,
            CIMultiDict(
                [("Location", "/x"), ("Content-Type", "text/html"), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
            ),
            "Grüße".encode(),
        )
        answer = CheckResponse.FromString(denied(page))
        assert answer.status.code == code
        assert not answer.HasField("ok_response")
        assert (answer.denied_response.status.code, answer.denied_response.body) == (status, "Grüße")
        assert told(list(answer.denied_response.headers)) == [
            ("location", "/x", True, 2), ("content-type", "text/html", True, 2),
            ("set-cookie", "a", False, 0), ("set-cookie", "b", False, 0),
        ]  # fmt: skip
