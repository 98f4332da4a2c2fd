"""The agent gateway: the account API's door for agents, which decides on every call by policy."""
