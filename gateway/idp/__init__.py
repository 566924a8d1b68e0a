"""The identity provider over the network: metadata and keys cached, codes redeemed, tokens revoked."""
