"""The sign-out as a value: its chain of hops, what is revoked, and what counts as evidence."""
