"""The stages of a request, and the gateway's own endpoints."""
