"""Reasons of entries in the revocation log that are the web's; the catalogue's `ended` says each to the person."""

from __future__ import annotations

ENDED_THERE = "signed_out_elsewhere"
ENDED_EVERYWHERE = "signed_out_everywhere"
BY_OPERATOR = "operator"
"""By the user, in another browser or everywhere, and by who runs the site."""
