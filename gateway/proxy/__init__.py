"""Upstream connections: pooled, streamed, tunnelled, or files of a directory."""
