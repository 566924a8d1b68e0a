"""The gateway's own pages, and answers made of errors."""
