"""Every behaviour of the emulators that can be switched, as one table.

A fact that the vendor does not confirm, or where installations differ, is a row here and never an assumption in
the code. `docs/demo.md` shows the same rows; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | bool
SAME_SITE = ("None", "Lax", "Strict")
FAULTS = ("normal", "429", "500", "503")


@dataclass(frozen=True, slots=True)
class Switch:
    """One row: *allowed* is a tuple of words, a range of integers (both ends included), or None for yes/no."""

    name: str
    default: Value
    allowed: tuple[str, ...] | range | None
    sentence: str


def _flag(name: str, default: bool, sentence: str) -> Switch:
    return Switch(name, default, None, sentence)


def _number(name: str, default: int, most: int, sentence: str, *, least: int = 0) -> Switch:
    return Switch(name, default, range(least, most + 1), sentence)


def _word(name: str, allowed: tuple[str, ...], sentence: str, *, default: str = "") -> Switch:
    return Switch(name, default or allowed[0], allowed, sentence)


SWITCHES: tuple[Switch, ...] = (
    # --- how Cognito asks Okta
    _word(
        "federation",
        ("saml", "oidc", "none"),
        "How Cognito signs people in at Okta; with none it knows its own people only.",
    ),
    _flag("saml_sign_request", False, "Cognito signs its AuthnRequest."),
    _flag("saml_force_authn", False, "Cognito turns prompt=login into ForceAuthn (undocumented)."),
    _flag(
        "stale_metadata", False, "Cognito keeps the SAML metadata it read first, as an uploaded file would."
    ),
    _word(
        "csrf_state_same_site",
        SAME_SITE,
        "SameSite of Cognito's csrf-state cookie (inferred).",
    ),
    _number("sign_in_seconds", 300, 3600, "How long a sign-in that was begun at Cognito may take."),
    # --- Cognito: discovery and keys
    _flag(
        "discovery_end_session",
        True,
        "Cognito's discovery lists end_session_endpoint (since about February 2024).",
    ),
    _flag("discovery_revocation", False, "Cognito's discovery lists revocation_endpoint (unconfirmed)."),
    _number(
        "cognito_keys",
        1,
        9,
        "Which pair of keys Cognito signs with; a new number is a key rotation.",
        least=1,
    ),
    _flag("old_keys_published", True, "Cognito's key set still has the pairs with lower numbers."),
    _word("discovery_answer", FAULTS, "What Cognito's discovery document answers."),
    _word("keys_answer", FAULTS, "What Cognito's key set answers."),
    # --- Cognito: authorize and session
    _word("branding", ("managed", "classic"), "Cognito's sign-in pages; classic ones ignore prompt."),
    _number("cognito_session_minutes", 60, 129600, "Life of the cognito cookie; 0 means no silent sign-in."),
    _flag("cognito_session_sliding", False, "A silent sign-in renews the cognito cookie (sources disagree)."),
    _word(
        "cognito_cookie_same_site", SAME_SITE, "SameSite of the cognito cookie (undocumented).", default="Lax"
    ),
    _flag("authorize_iss", False, "Cognito's authorization response carries iss (RFC 9207, undocumented)."),
    _word(
        "authorize_error",
        ("none", "server_error", "invalid_request", "access_denied"),
        "Cognito ends every sign-in with this error.",
    ),
    _flag(
        "step_up",
        False,
        "Cognito honours max_age and puts acr and amr into ID tokens (documented, not yet seen).",
    ),
    _word(
        "cognito_auth_time",
        ("own", "provider"),
        "auth_time of federated people is when Okta answered Cognito, or when they signed in there (undocumented).",
    ),
    _number("code_seconds", 300, 3600, "Life of Cognito's authorization codes."),
    # --- Cognito: tokens
    _number("token_seconds", 3600, 86400, "Life of Cognito's ID and access tokens.", least=1),
    _number("refresh_token_seconds", 2592000, 315360000, "Life of Cognito's refresh tokens.", least=1),
    _number("refresh_token_bytes", 1760, 8000, "Length of Cognito's refresh tokens.", least=64),
    _flag(
        "refresh_rotation", False, "Each refresh at Cognito gives a new refresh token and ends the old one."
    ),
    _number("refresh_grace_seconds", 0, 60, "How long a rotated refresh token can still be used."),
    _number("extra_groups", 0, 100, "How many made-up groups Cognito adds to everybody."),
    _number("extra_group_length", 25, 128, "Length of the names of the made-up groups.", least=8),
    _flag(
        "automatic_group",
        False,
        "Cognito adds the group <pool>_<provider> of federated people (seen in the field).",
    ),
    _word("email_verified_as", ("string", "boolean"), "Form of email_verified in Cognito's ID tokens."),
    _flag(
        "token_revocation", True, "Tokens of Cognito's client can be revoked and carry jti and origin_jti."
    ),
    _word("token_answer", FAULTS, "What Cognito's token endpoint answers."),
    _number("token_delay_seconds", 0, 60, "How long Cognito's token endpoint waits before it answers."),
    _word("revoke_answer", FAULTS, "What Cognito's revocation endpoint answers."),
    _number("revoke_delay_seconds", 0, 60, "How long Cognito's revocation endpoint waits before it answers."),
    _flag(
        "revocation_ends_session",
        False,
        "Cognito's revocation endpoint ends the session that the token came from too, as Keycloak's does.",
    ),
    _flag("session_tracking", False, "RevokeToken with LINKED also ends the Cognito session (2026 feature)."),
    # --- Cognito: logout
    _word(
        "logout_uri_match",
        ("exact", "normalised"),
        "How Cognito compares logout_uri with the registered ones.",
    ),
    _word("logout_error", ("redirect", "text"), "Cognito's answer to a missing or unregistered logout_uri."),
    _word(
        "logout_oidc_style", ("error", "login"), "Where Cognito's /logout sends a request without client_id."
    ),
    _flag(
        "logout_error_keeps_session",
        False,
        "The Cognito session survives a logout that ends on an error page.",
    ),
    _flag("logout_strands", False, "Cognito ends the session but shows an error page instead of returning."),
    _word("error_page_status", ("400", "200"), "Status of Cognito's error page."),
    _flag("idp_signout", False, "Cognito's SAML provider has the sign-out flow (IDPSignout)."),
    _word(
        "slo_session_ends", ("after", "before"), "Cognito's session ends after or before the trip to Okta."
    ),
    _word(
        "slo_failed_status",
        ("error", "finish"),
        "What Cognito does with a LogoutResponse that is not Success.",
    ),
    # --- Okta: session and cookies
    _number("okta_session_minutes", 120, 129600, "Life of an Okta session.", least=0),
    _word("okta_cookie_same_site", SAME_SITE, "SameSite of Okta's cookies (undocumented)."),
    _flag("okta_cookie_secure", True, "Okta's cookies are Secure."),
    _flag("okta_cookie_http_only", True, "Okta's cookies are HttpOnly."),
    _flag("sid_cookie", False, "Okta sets sid beside idx, as the older engine does."),
    _number(
        "okta_rate_limit",
        0,
        1000,
        "Requests per ten seconds and path before Okta answers 429; 0 is no limit.",
    ),
    # --- Okta: /login/signout
    _word("signout_untrusted", ("login_page", "error_page"), "What Okta shows when fromURI is not trusted."),
    _flag("signout_relative", True, "Okta accepts a path on itself as fromURI."),
    _flag("signout_keeps_query", True, "Okta keeps the query of fromURI."),
    _flag("signout_interstitial", False, "Okta shows a page that moves on by script instead of a redirect."),
    _word(
        "signout_without_session",
        ("redirect", "login_page"),
        "Where /login/signout goes when nobody was signed in.",
    ),
    _flag("signout_revokes_tokens", False, "/login/signout also revokes the person's Okta tokens."),
    _flag("signout_strands", False, "Okta ends the session but stays on its own page."),
    # --- Okta: OpenID Connect
    _number("okta_token_seconds", 3600, 86400, "Life of Okta's ID and access tokens.", least=1),
    _word(
        "okta_logout_missing_hint",
        ("error_page", "login_page"),
        "Okta's answer to a logout without id_token_hint.",
    ),
    _word(
        "okta_logout_mismatch",
        ("keep_session", "end_session", "error_page"),
        "What Okta does when the hint is about somebody else.",
    ),
    _flag(
        "okta_logout_interstitial", False, "Okta's OpenID Connect logout answers with a page, not a redirect."
    ),
    # --- Okta: to other applications
    _flag(
        "front_channel_logout",
        False,
        "Okta signs the browser out of its other applications in iframes, and ID tokens have sid.",
    ),
    _flag("signout_fans_out", False, "/login/signout does that too (undocumented)."),
    _word(
        "ssf_shape", ("okta", "final"), "Shape of Okta's security events in a stream: Okta's, or SSF 1.0's."
    ),
    _flag("event_hook", False, "Okta tells the application's event hook of every session that ends."),
    # --- Okta: SAML
    _word("saml_signature", ("both", "response", "assertion"), "What Okta signs."),
    _word("saml_answer", ("success", "failed"), "Status of Okta's SAML responses."),
    _flag("okta_signed_requests", False, "Okta refuses an AuthnRequest that is not signed."),
    _flag("honor_force_authn", True, "Okta asks for the password again on ForceAuthn."),
    _flag("okta_slo", False, "Single logout is set up at Okta; only then its metadata shows it."),
    _flag("slo_needs_session", True, "Okta's single logout fails when its session has already ended."),
    _word("slo_answer", ("success", "failed", "never"), "How Okta answers a good LogoutRequest."),
    _word(
        "slo_bad_signature",
        ("authn_failed", "error_page"),
        "How Okta answers a LogoutRequest with a bad signature.",
    ),
    _flag("slo_wrong_certificate", False, "Okta holds another certificate than the one Cognito signs with."),
)
