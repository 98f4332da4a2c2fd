"""The customer's door: sign-on, accounts, the assistant, and what happened under the hood."""
