"""Puts a gateway together from its configuration, and serves it."""
