"""Tests of the chatbot, through its own interface."""
