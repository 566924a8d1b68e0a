"""Errors that name their cause, whose fault it is, and the fix.

* GatewayError              has a stable ``code``; the prose may change
  * DownstreamError         the client's request cannot be served as it is
  * ProviderError           the identity provider failed us; ``retryable`` says whether trying again can help
  * StateError              what the instances share does not answer
  * UpstreamError           the application behind the gateway failed us
  * ConfigurationError      the operator's configuration, policy or key is not usable
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Base of all.

    :param code: stable, snake_case; appears in logs, metrics and problem documents.
    :param detail: one sentence for people; never holds a secret.
    :param fix: what to do about it, one sentence.
    """

    blame: ClassVar[str] = "internal"

    def __init__(self, code: str, detail: str = "", *, fix: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.fix = fix


class DownstreamError(GatewayError):
    """The client's request is ambiguous, too large or not allowed.

    :param detail: names a sentence, `reason.<code>.<detail>` of the catalogue; of a question by a proxy
        the part at fault, for the log. Empty where the code says it all.
    :param values: what that sentence's placeholders stand for.
    """

    blame = "downstream"

    def __init__(self, code: str, detail: str = "", **values: object) -> None:
        super().__init__(code, detail)
        self.values = values


class ProviderError(GatewayError):
    """The identity provider did not answer, or answered what we cannot accept.

    :param acted: it may have done what it was asked for all the same.
    """

    blame = "idp"

    def __init__(
        self, code: str, detail: str = "", *, fix: str = "", retryable: bool = False, acted: bool = True
    ) -> None:
        super().__init__(code, detail, fix=fix)
        self.retryable = retryable
        self.acted = acted


class UpstreamError(GatewayError):
    """The application behind the gateway did not answer, or broke off."""

    blame = "upstream"


class StateError(GatewayError):
    """What the instances share does not answer, and without it nothing can be said."""

    blame = "state"


class ConfigurationError(GatewayError):
    """Something the operator wrote cannot be used."""

    blame = "config"
