"""Keys and signed tokens."""
