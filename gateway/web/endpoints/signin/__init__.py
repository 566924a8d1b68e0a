"""The way in: start, callback, landing."""
