"""The authorization server: OpenID provider, and token exchange for agents."""
