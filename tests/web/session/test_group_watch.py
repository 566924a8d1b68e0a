"""What is said of groups, and how often."""

from __future__ import annotations

from gateway.web.session.group_watch import GroupWatch
from tests.fakes.production_log import lines, production_log


def test_a_claim_that_gives_nobody_a_group_is_said_once() -> None:
    """With the names of the claims that are there, and none of their values; not again for those who come after."""
    watch = GroupWatch("roles", wanted=True)
    with production_log() as log:
        for _ in range(3):
            watch.look({"sub": "alice-sub", "groups": ["staff"], "wids": 7}, ())
    (line,) = lines(log, "nobody_has_groups")
    assert (line["claim"], line["there"], line["names"]) == ("roles", False, "groups sub wids")
    assert "headers.groups" in str(line["fix"])
    assert "staff" not in log.getvalue() and "alice" not in log.getvalue()


def test_somebody_without_a_group_among_others_is_nothing_to_say() -> None:
    """Nor is it where nobody asks for groups."""
    with production_log() as log:
        watch = GroupWatch("groups", wanted=True)
        watch.look({"groups": ["staff"]}, ("staff",))
        watch.look({"groups": []}, ())
        GroupWatch("groups", wanted=False).look({}, ())
    assert log.getvalue() == ""


def test_one_name_that_may_be_several_is_said_once() -> None:
    """It is taken for one, and no policy would know it; two names with commas are what they are."""
    with production_log() as log:
        watch = GroupWatch("groups", wanted=True)
        for groups in (("a, b", "c"), ("admins,staff",), ("admins,staff",), ("[x",)):
            watch.look({"groups": groups}, groups)
    (line,) = lines(log, "groups_in_one_name")
    assert "shape" in str(line["fix"]) and "admins" not in log.getvalue()
