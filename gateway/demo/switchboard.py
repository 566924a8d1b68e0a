"""The current setting of every switch."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.demo.switches import SWITCHES, Switch, Value

BY_NAME = {switch.name: switch for switch in SWITCHES}
WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


class SwitchError(ValueError):
    """An unknown switch or a value it does not take; the text names what is possible."""


class Switchboard:
    """Values by name. *start* overrides the defaults and is what `reset` returns to; SwitchError if it is wrong."""

    def __init__(self, start: Mapping[str, Value]) -> None:
        self._start = {switch.name: switch.default for switch in SWITCHES} | checked(start)
        self._values = dict(self._start)

    def flag(self, name: str) -> bool:
        """Return the yes/no switch *name*."""
        return bool(self._values[name])

    def number(self, name: str) -> int:
        """Return the integer switch *name*."""
        return int(self._values[name])

    def word(self, name: str) -> str:
        """Return the word switch *name*."""
        return str(self._values[name])

    def set(self, changes: Mapping[str, object]) -> None:
        """Apply *changes*, all or none; raises SwitchError."""
        self._values |= checked(changes)

    def reset(self) -> None:
        """Return every switch to its start value."""
        self._values = dict(self._start)

    def as_dict(self) -> dict[str, Value]:
        """Return every switch with its value."""
        return dict(self._values)


def checked(changes: Mapping[str, object]) -> dict[str, Value]:
    """Return *changes* with every value in its switch's type; text is understood, as from a command line."""
    unknown = sorted(set(changes) - set(BY_NAME))
    if unknown:
        raise SwitchError(f"unknown switch {', '.join(unknown)}; there are: {', '.join(BY_NAME)}")
    return {name: _value(BY_NAME[name], value) for name, value in changes.items()}


def allowed_text(switch: Switch) -> str:
    """Return what *switch* takes, in words."""
    if switch.allowed is None:
        return "true, false"
    if isinstance(switch.allowed, range):
        return f"{switch.allowed.start} to {switch.allowed.stop - 1}"
    return ", ".join(switch.allowed)


def _value(switch: Switch, given: object) -> Value:
    value = _typed(switch, given)
    if value is None:
        raise SwitchError(f"{switch.name} takes {allowed_text(switch)}, not {given!r}")
    return value


def _typed(switch: Switch, given: object) -> Value | None:
    if switch.allowed is None:
        return given if isinstance(given, bool) else WORDS.get(str(given).lower())
    if isinstance(switch.allowed, range):
        number = int(str(given)) if str(given).isascii() and str(given).isdigit() else -1
        return number if number in switch.allowed else None
    return str(given) if not isinstance(given, bool) and str(given) in switch.allowed else None
