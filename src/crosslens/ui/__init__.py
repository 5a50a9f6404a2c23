"""The page: search, manage, look after and measure a service in a browser, over HTTP only."""
