"""The Okta emulator: sign-in form and session, `/login/signout`, two OpenID Connect servers, a SAML app."""
