"""Messages of HTTP as values: heads, targets, headers, bodies' framing, and what may cross the gateway."""
