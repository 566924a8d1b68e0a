"""Emulated Amazon Cognito and Okta, so that the gateway can be tried without a cloud account.

The nouns: an *emulator* is one party (Cognito with its two hosts, or Okta); a *switch* is one behaviour that
differs between real installations or that nobody could confirm; *control* is how a test or a person reads and
sets them; *federation* is the way Cognito asks Okta who somebody is (SAML or OpenID Connect, both real).

Nothing here imports anything of the gateway: an emulator that shared its code would share its mistakes.
"""
