"""What outlives a request and is shared by all workers: the revocation log, and policy files."""
