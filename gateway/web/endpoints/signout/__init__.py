"""The way out: the sign-out and the keys of its receipts."""
