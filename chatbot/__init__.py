"""The chatbot, the agent: answers a customer's questions, and acts for that customer under its own name."""
