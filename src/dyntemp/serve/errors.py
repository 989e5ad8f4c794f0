"""Errors as clients of the OpenAI API know them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from dyntemp.errors import InvalidLogitsError, ModelError, PolicyError

KINDS = {HTTPStatus.UNAUTHORIZED: "authentication_error", HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error"}
MOST_SHOWN = 80


class ApiError(Exception):
    """A request that cannot be answered.

    Args:
        status: The HTTP status.
        message: What was given, what is allowed, what to do instead.
        param: The field that is at fault.
        code: A name of the error for programs.
        headers: More headers of the response.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The error as JSON."""
        kind = KINDS.get(HTTPStatus(self.status), "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The error as a response."""
        return JSONResponse(self.body(), self.status, self.headers)


def wrong(param: str | None, message: str, code: str = "invalid_value") -> ApiError:
    """The error of a request with a wrong field: 400."""
    return ApiError(400, message, param=param, code=code)


def of_policy(error: PolicyError, param: str = "policy") -> ApiError:
    """The error of a policy, with the position of the fault if it is known."""
    return wrong(param, str(error), "invalid_policy")


def of_run(error: Exception) -> ApiError:
    """The error of a run that failed."""
    if isinstance(error, ApiError):
        return error
    for kind, code in ((InvalidLogitsError, "invalid_logits"), (ModelError, "model_error")):
        if isinstance(error, kind):
            return ApiError(500, f"the model could not go on: {error}", code=code)
    return internal()


def internal() -> ApiError:
    """An internal error; the server's log holds the details."""
    return ApiError(500, "something went wrong inside the server; its log says what", code="internal_error")


def shown(value: Any) -> str:
    """A value that a client sent, cut to a length that can be shown."""
    text = repr(value[: MOST_SHOWN + 1] if isinstance(value, str | list) else value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."
