"""Sessions at work: found, refreshed, kept alive, and stored."""
