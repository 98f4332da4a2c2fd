"""An authorization server's refusal, as its client sees it (RFC 6749 §5.2)."""


class OAuthError(Exception):
    """The authorization server answered with an error, or did not answer.

    `error` is the code of RFC 6749 §5.2 or RFC 8693 §2.2.2; `temporarily_unavailable` stands for no usable
    answer. `status` is the HTTP status, 0 where there was none.
    """

    def __init__(self, error: str, description: str, status: int = 0) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    @property
    def undecided(self) -> bool:
        """Return whether this is no refusal, but the lack of an answer or a fault of the server."""
        return self.error == "temporarily_unavailable" or self.status >= 500
