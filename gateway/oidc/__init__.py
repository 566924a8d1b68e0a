"""The relying-party protocol, pure: every exchange is a pair, build the request and parse the response."""
