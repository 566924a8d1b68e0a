"""SAML 2.0 messages: written, signed, read and checked. Real XML signatures; no network, no clock, no state."""
