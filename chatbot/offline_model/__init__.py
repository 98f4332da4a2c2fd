"""The offline model: deterministic, reached by the protocol of the real ones (Chat Completions with tools).

It knows nothing but the request: the system prompt, the conversation, the tools' names and their results.
From those it works out what the customer wants, calls tools, and phrases an answer from what they returned.
A figure that no tool returned cannot appear in an answer as one of the bank's.
"""
