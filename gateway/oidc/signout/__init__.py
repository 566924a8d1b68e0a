"""Ends of sessions: requests of ours, logout tokens of theirs, and the receipt."""
