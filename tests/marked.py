"""Parts of a page that a program writes: ``<!-- name -->`` to ``<!-- /name -->``, the rest is written by people."""

from __future__ import annotations


def part(text: str, name: str) -> str | None:
    """What is between the markers; None where they are not."""
    begin, end = markers(name)
    _, found, rest = text.partition(begin)
    inside, closed, _ = rest.partition(end)
    return inside.strip("\n") if found and closed else None


def with_part(text: str, name: str, inside: str) -> str:
    """The page with this between the markers; they come last where the page has none."""
    begin, end = markers(name)
    block = f"{begin}\n{inside.strip()}\n{end}"
    if part(text, name) is None:
        return f"{text.rstrip()}\n\n{block}\n" if text.strip() else f"{block}\n"
    before, _, rest = text.partition(begin)
    return f"{before}{block}{rest.partition(end)[2]}"


def with_parts_of(text: str, old: str, *names: str) -> str:
    """The page with those parts of its predecessor that it has not itself."""
    for name in names:
        inside = part(old, name)
        if inside is not None and part(text, name) is None:
            text = with_part(text, name, inside)
    return text


def markers(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- /{name} -->"
