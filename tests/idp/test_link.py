from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest

from gateway.core.errors import ProviderError
from gateway.idp.link import ProviderLink
from gateway.idp.transport import Transport
from gateway.oidc.signin.tokens import check_revocation
from gateway.oidc.wire import ProviderResponse, document, get
from tests.fakes.op import Provider, running
from tests.fakes.patience import PATIENCE
from tests.fakes.production_log import lines, production_log


@pytest.fixture
async def op() -> AsyncIterator[Provider]:
    """A provider that listens."""
    async with running() as provider:
        yield provider


async def exchange(op: Provider, link: ProviderLink) -> object:
    """Fetch the metadata as JSON."""
    url = f"{op.issuer}/.well-known/openid-configuration"
    return await link.exchange("metadata", get(url), lambda answer: document(answer, "metadata"))


async def test_every_exchange_is_told_with_its_outcome(op: Provider) -> None:
    """Endpoint and code, for the metrics."""
    told: list[tuple[str, str]] = []
    transport = Transport(timeout=PATIENCE)
    link = ProviderLink(transport, lambda endpoint, result: told.append((endpoint, result)))
    for trouble in (None, "500", "html", "slow"):
        transport._timeout = 0.3 if trouble == "slow" else PATIENCE
        op.trouble = {} if trouble is None else {"metadata": trouble}
        try:
            await exchange(op, link)
        except ProviderError:
            assert trouble is not None
    await link.close()
    assert told == [
        ("metadata", "ok"),
        ("metadata", "provider_error"),
        ("metadata", "bad_response"),
        ("metadata", "provider_unreachable"),
    ]


@pytest.mark.parametrize("trouble", ["500", "429", "html", "reset"])
async def test_trouble_is_down_and_a_good_answer_up_again(op: Provider, trouble: str) -> None:
    """The last exchange decides, and whoever waits for trouble is woken."""
    link = ProviderLink(Transport(timeout=PATIENCE))
    op.trouble["metadata"] = trouble
    with pytest.raises(ProviderError):
        await exchange(op, link)
    assert link.fault is not None and link.went_down.is_set()
    op.trouble.clear()
    await exchange(op, link)
    assert link.fault is None
    await link.close()


async def test_a_refusal_is_a_sensible_answer(op: Provider) -> None:
    """A dead refresh token does not mean that the provider is down."""
    link = ProviderLink(Transport(timeout=PATIENCE))
    op.trouble["metadata"] = "invalid_grant"

    def parse(answer: ProviderResponse) -> None:
        check_revocation(answer)

    with pytest.raises(ProviderError, match="invalid_grant"):
        await link.exchange("token", get(f"{op.issuer}/.well-known/openid-configuration"), parse)
    assert link.fault is None
    await link.close()


async def test_the_log_says_once_why_the_provider_is_down(op: Provider) -> None:
    """At the start too: a line with the reason when it goes down, another when the reason changes, one when it is back."""
    link = ProviderLink(Transport(timeout=PATIENCE))
    with production_log() as log:
        for trouble in ("503 html", "503 html", "html", None, None):
            op.trouble = {} if trouble is None else {"metadata": trouble}
            with nullcontext() if trouble is None else pytest.raises(ProviderError):
                await exchange(op, link)
    await link.close()
    assert [(line["reason"], line["detail"]) for line in lines(log, "provider_down")] == [
        ("provider_error", "metadata: answered 503"),
        ("bad_response", "metadata is not well-formed JSON"),
    ]
    assert len(lines(log, "provider_up")) == 1
