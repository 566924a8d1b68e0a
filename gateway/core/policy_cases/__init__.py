"""What a set of policies is expected to decide, and whether it does."""
