"""The conformance suite: does a deployment keep the rules of safe delegation?

`python -m tests.e2e --help` says how to ask.
"""
