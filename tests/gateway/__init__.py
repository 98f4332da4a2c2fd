"""The gateway's tests: through its own door, over HTTP, with a real resource behind it."""
