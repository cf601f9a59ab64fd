"""The gateway: HTTP in front of the services. It composes over gRPC and computes nothing itself."""
