"""Reading an authorization request by the rules of /oauth2/authorize (/login takes the same)."""

from __future__ import annotations

from aiohttp import web

from gateway.demo.answers import query_of
from gateway.demo.cognito.errors import NotForTheClientError, RefusedError
from gateway.demo.cognito.state import CLIENT_SCOPES, AuthorizationRequest, Cognito
from gateway.demo.options import CLIENT_ID

PROMPTS = frozenset({"none", "login", "select_account", "consent"})
NEED_OPENID = frozenset({"email", "profile", "phone"})


def known_redirect(cognito: Cognito, query: dict[str, str]) -> str:
    """Return the redirect_uri if client and URI are registered, compared to the byte; else NotForTheClientError."""
    uri = query.get("redirect_uri", "")
    if query.get("client_id") != CLIENT_ID or uri not in cognito.common.options.registered_callbacks:
        raise NotForTheClientError
    return uri


def read_request(cognito: Cognito, request: web.Request) -> AuthorizationRequest:
    """Return the request's parameters, checked; raises NotForTheClientError or RefusedError."""
    query = query_of(request)
    redirect_uri = known_redirect(cognito, query)
    _check_form(query)
    max_age = query.get("max_age", "")
    return AuthorizationRequest(
        raw=request.rel_url.raw_query_string,
        client_id=query["client_id"],
        redirect_uri=redirect_uri,
        scopes=_scopes(query),
        state=query.get("state"),
        nonce=query.get("nonce"),
        challenge=query.get("code_challenge"),
        prompt=_prompt(cognito, query),
        provider=query.get("identity_provider") or query.get("idp_identifier"),
        login_hint=query.get("login_hint"),
        max_age=int(max_age) if max_age.isascii() and max_age.isdigit() else None,
        lang=query.get("lang"),
    )


def _check_form(query: dict[str, str]) -> None:
    if query.get("state", "").lstrip().startswith("{"):
        raise RefusedError("invalid_request", "state must not be JSON", keep_state=False)
    if "response_type" not in query:
        raise RefusedError("invalid_request", "response_type is missing")
    if query["response_type"] != "code":
        raise RefusedError("unauthorized_client")
    if ("code_challenge" in query) != (query.get("code_challenge_method") == "S256"):
        raise RefusedError("invalid_request", "code_challenge needs code_challenge_method S256")


def _scopes(query: dict[str, str]) -> tuple[str, ...]:
    """Scopes the client does not have are dropped; none at all means all the client has."""
    wanted = query.get("scope", "").split()
    scopes = tuple(scope for scope in CLIENT_SCOPES if scope in wanted) if wanted else CLIENT_SCOPES
    if not scopes or (NEED_OPENID & set(scopes) and "openid" not in scopes):
        raise RefusedError("invalid_scope")
    return scopes


def _prompt(cognito: Cognito, query: dict[str, str]) -> frozenset[str]:
    if cognito.common.switches.word("branding") == "classic":
        return frozenset()
    prompt = frozenset(query.get("prompt", "").split())
    if prompt - PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise RefusedError("invalid_request", "prompt is not understood")
    return prompt
