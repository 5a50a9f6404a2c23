"""Built-in bundles and the sample catalogue."""
