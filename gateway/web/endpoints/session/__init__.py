"""What a signed-in page asks about its own sessions."""
