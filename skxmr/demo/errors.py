"""How a request is refused."""

from http import HTTPStatus

__all__ = ["RequestError"]


class RequestError(Exception):
    """A request that is not answered as asked: the status, and a message to show."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None
    ):
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
