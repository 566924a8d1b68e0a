"""Envoy asks over gRPC (``envoy.service.auth.v3.Authorization``): the same questions as over HTTP, and their answers.

Nothing here is imported unless ``forward_auth.grpc`` is configured: h2 and protobuf are the extra ``[grpc]``.
"""
