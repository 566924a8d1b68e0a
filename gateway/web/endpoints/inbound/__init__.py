"""What providers call to end sessions from their side."""
