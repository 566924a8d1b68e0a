"""The Cognito emulator: hosted UI on one host, issuer (discovery, keys, API) on another, federation to Okta."""
