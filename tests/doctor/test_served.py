"""What the upstreams serve at their roots."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load
from gateway.doctor.probe import NoAnswerError
from gateway.doctor.served import ask_upstreams, fetched
from tests.doctor.deployment import APP, Deployment
from tests.fakes.forward_proxy import forward_proxy
from tests.fakes.puppet import Puppet, Says


async def test_each_is_asked_once_as_a_navigation(cognito: Deployment, idp: Puppet) -> None:
    """With the host that browsers use, and without a cookie."""
    cognito.pieces["upstreams"] = [
        {"path": "/", "url": f"http://127.0.0.1:{idp.port}"},
        {"path": "/api/", "url": "http://127.0.0.1:9"},
    ]
    idp.lines["/"] = Says(body="<p>")
    root, api = await ask_upstreams(load(cognito.write(), {}))
    assert root.document is not None
    assert (api.seen, api.document) == (None, None)
    assert api.fault
    (asked,) = idp.asked
    assert asked.headers["Host"] == APP.removeprefix("http://")
    assert asked.headers["Sec-Fetch-Dest"] == "document"
    assert "Cookie" not in asked.headers


async def test_the_providers_proxy_is_not_for_upstreams(
    cognito: Deployment, idp: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked at as the gateway reaches them, whatever the environment and the configuration say."""
    idp.lines["/"] = Says(body="<p>")
    async with forward_proxy(0) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        cognito.pieces["provider"] = cognito.pieces["provider"] | {"proxy": proxy.origin}
        cognito.pieces["upstreams"] = [{"path": "/", "url": f"http://127.0.0.1:{idp.port}"}]
        (root,) = await ask_upstreams(load(cognito.write(), {"HTTPS_PROXY": proxy.origin}))
        assert root.document is not None
        assert proxy.asked == []


@pytest.mark.parametrize("said", [Says(body="{}", kind="application/json"), Says(503)])
async def test_what_is_no_document(cognito: Deployment, idp: Puppet, said: Says) -> None:
    """An API, and an application that is unwell."""
    cognito.pieces["upstreams"] = [{"path": "/", "url": f"http://127.0.0.1:{idp.port}"}]
    idp.lines["/"] = said
    (root,) = await ask_upstreams(load(cognito.write(), {}))
    assert root.seen is not None
    assert root.document is None


async def test_files_of_a_directory(cognito: Deployment, tmp_path: Path) -> None:
    """index.html at its root, others below the upstream's path; no-store, because the gateway adds it."""
    cognito.pieces["upstreams"] = [{"path": "/app/", "url": f"file://{tmp_path}/spa"}]
    settings = load(cognito.write(), {})
    (tmp_path / "spa" / "index.html").write_text("<p>")
    (tmp_path / "spa" / "sw.js").write_text("//")
    (root,) = await ask_upstreams(settings)
    assert root.document is not None
    assert "no-store" in root.document.header("cache-control")
    worker = await fetched(settings.upstreams[0], settings, "/app/sw.js")
    assert (worker.body, worker.is_html) == ("//", False)
    with pytest.raises(NoAnswerError, match="No such file"):
        await fetched(settings.upstreams[0], settings, "/app/missing.js")
