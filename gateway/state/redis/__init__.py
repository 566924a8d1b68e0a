"""A Redis shared by many hosts."""
