"""Bytes become requests: listening, reading, limits, and the access log."""
