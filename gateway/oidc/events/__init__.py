"""Security events as others send them: RFC 8417 tokens, Okta's hooks, and the streams that carry them."""
