"""What policies see of a request's context: its attributes, and of a text only what they ask about it (rule R25).

Policies look at ``context.path`` nearly always to compare it with a text of theirs, or with a pattern. Where a policy
set does nothing else, every expression in it that reads the path is one of these tests. Cedar's expressions have no
other input than the request and the entities, so two paths for which all tests come out alike are decided alike, and a
decision may be remembered under the outcomes: a path that never came before needs no call into Cedar.

One other use of the path in the whole set, and decisions are remembered under the path itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import reduce

from cedarpy import pst

from gateway.core.policy.schema import CONTEXT

MOST_PATTERNS = 16
"""Patterns that are no plain prefixes, for which there is a test each: so many take a tenth of what Cedar does."""

_CONTEXT = pst.Var("context")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Uses:
    """Everything that is asked about one text.

    :ivar texts: what it is compared with: ``==``, ``!=``, ``contains``, and ``like`` without a wildcard.
    :ivar patterns: the other ``like``, each cut at its wildcards: ``/a*b`` is ``("/a", "b")``.
    :ivar needs_text: it is used in another way too, so that the outcomes of these do not say everything.
    """

    texts: frozenset[str] = frozenset()
    patterns: frozenset[tuple[str, ...]] = frozenset()
    needs_text: bool = False

    def __or__(self, other: Uses) -> Uses:
        return Uses(
            self.texts | other.texts, self.patterns | other.patterns, self.needs_text or other.needs_text
        )


_NOTHING = Uses()


class View:
    """How much of a text a policy set can see.

    :param asked: by its policies.
    """

    __slots__ = ("_needs_text", "_others", "_prefix", "_texts")

    def __init__(self, asked: Iterable[Uses]) -> None:
        total = reduce(Uses.__or__, asked, _NOTHING)
        prefixes = [first for first, *rest in total.patterns if rest == [""]]
        self._prefix = re.compile("|".join(map(re.escape, sorted(prefixes, key=len, reverse=True)))).match
        self._others = tuple(pattern for pattern in total.patterns if pattern[1:] != ("",))
        self._texts = total.texts
        self._needs_text = total.needs_text or len(self._others) > MOST_PATTERNS

    def seen(self, text: str) -> str | tuple[str | bool, ...]:
        """What stands for ``text`` in a key: texts for which this is equal are decided alike.

        It is the text itself where it is one that the policies name, and where it is no Unicode: Cedar cannot read a
        lone surrogate and takes two for one character, so our tests could come out otherwise than its.

        Else it is the longest prefix among the patterns that ``text`` begins with, which tells of all prefixes whether
        it begins with them, and the outcome of every other pattern.
        """
        if self._needs_text or text in self._texts or (not text.isascii() and _SURROGATE.search(text)):
            return text
        found = self._prefix(text)
        prefix = found[0] if found else ""
        return (prefix, *[is_like(text, pattern) for pattern in self._others]) if self._others else (prefix,)


def is_like(text: str, pattern: tuple[str, ...]) -> bool:
    """Cedar's ``like``: the pieces of ``pattern`` are in ``text`` in this order, with anything or nothing between them.

    Each piece is taken where it is first found, for then the most is left to the others. There is no going back, as a
    regular expression would: whoever chooses the path could make that take for ever.

    :param pattern: two pieces at least: there is a wildcard between any two.
    """
    first, *between, last = pattern
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in between:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def asked(node: object, attribute: str) -> Uses:
    """What ``node``, a part of a policy, asks about the text that is this attribute of ``context``.

    :param attribute: one that every request has, so that ``has`` says nothing about it.
    """
    text = pst.GetAttr(_CONTEXT, attribute)
    match node:
        case pst.Like(base, pattern) if base == text:
            return _pattern(pattern)
        case pst.BinaryOp("eq" | "not_eq", left, right) if text in (left, right):
            return _texts([right if left == text else left])
        case pst.BinaryOp("contains", pst.Set(elements), base) if base == text:
            return _texts(elements)
        case pst.HasAttr(base) if base == _CONTEXT:
            return _NOTHING
        case pst.GetAttr(base, other) if base == _CONTEXT and other != attribute:
            return _NOTHING
    if node == _CONTEXT:
        return Uses(needs_text=True)
    return reduce(Uses.__or__, (asked(part, attribute) for part in _parts(node)), _NOTHING)


def mentioned(node: object) -> frozenset[str]:
    """Attributes of ``context`` that ``node`` can read; all of them where it uses ``context`` as a whole."""
    if isinstance(node, pst.GetAttr) and node.base == _CONTEXT:
        return frozenset({node.attr})
    if isinstance(node, pst.HasAttr) and node.base == _CONTEXT:
        return frozenset(node.attrs)
    if node == _CONTEXT:
        return CONTEXT
    return frozenset().union(*map(mentioned, _parts(node)))


def _texts(compared: Sequence[pst.Expr]) -> Uses:
    literals = [each.value for each in compared if isinstance(each, pst.StringLit)]
    return Uses(frozenset(literals), needs_text=len(literals) < len(compared))


def _pattern(elements: Iterable[pst.PatternElem]) -> Uses:
    pieces = [""]
    for element in elements:
        if isinstance(element, pst.Char):
            pieces[-1] += element.value
        else:
            pieces.append("")
    return Uses(frozenset(pieces)) if len(pieces) == 1 else Uses(patterns=frozenset({tuple(pieces)}))


def _parts(node: object) -> Iterable[object]:
    """What ``node`` is made of.

    :raises TypeError: it is nothing that Cedar's syntax trees are known to hold, so it cannot be overlooked either.
    """
    if node is None or isinstance(node, (str, int)):
        return ()
    if isinstance(node, Mapping):
        return node.values()
    if isinstance(node, tuple):
        return node
    if is_dataclass(node):
        return [getattr(node, field.name) for field in fields(node)]
    raise TypeError(f"{type(node).__name__} is no part of a policy")
