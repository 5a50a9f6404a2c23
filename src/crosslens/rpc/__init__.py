"""The gRPC door: encoders for other processes."""
