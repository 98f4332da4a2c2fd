"""What a run leaves behind: a summary on the terminal, JSON, JUnit XML, and a page for a security review."""
