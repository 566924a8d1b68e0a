"""What Okta sends to applications by itself: good, and in all the ways that a receiver has to refuse."""
