"""Everything that can stop a pivot. An error says `what` happened to which thing, `why`, and `hint`: what to do next.

| exit code | meaning |
| --- | --- |
| 40 | preflight refused: nothing was touched |
| 41 | the target refused an object: nothing was moved |
| 42 | verification failed: nothing was handed over |
| 43 | can't be aborted any more |
| 44 | another mover is at work |
| 10-12 | a wait didn't end, or an API server was lost: the same command goes on |
"""

from __future__ import annotations

from typing import ClassVar


class PivotError(Exception):
    """Base of all."""

    exit_code: ClassVar[int] = 40
    #: False when asking again later may help.
    permanent: ClassVar[bool] = True

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


# What an API server answers; raised by implementations of `ports.Cluster`.


class ApiError(PivotError):
    """An API server's answer that isn't the one we asked for."""

    exit_code = 10


class NotFound(ApiError):
    """404: no such object, namespace or kind."""


class AlreadyExists(ApiError):
    """409 on a create: the name is taken."""


class Conflict(ApiError):
    """409 on a patch or delete: a UID, a resourceVersion or a `test` doesn't hold. Who lost a race must look again."""


class Refused(ApiError):
    """400, 401, 403, 405, 413, 422, or an admission webhook's denial. Asking again doesn't help."""


class Unavailable(ApiError):
    """429, 5xx, a reset, a time-out: no answer within the patience of the adapter."""

    exit_code = 12
    permanent = False

    def __init__(self, what: str, why: str = "", hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(what, why, hint)
        #: Seconds after which the API server wants to be asked again.
        self.retry_after = retry_after


# What stops the pivot itself.


class PreflightRefused(PivotError):
    """Something is known to fail; nothing was written anywhere. `findings` has all of it."""

    def __init__(self, what: str, findings: tuple[str, ...], hint: str = "") -> None:
        super().__init__(what, "; ".join(findings), hint)
        self.findings = findings


class ObjectRefused(PivotError):
    """An API server refuses to write one object."""

    exit_code = 41


class TargetRefused(ObjectRefused):
    """The target does: nothing was moved."""


class SourceRefused(ObjectRefused):
    """The source does (an admission webhook there, say)."""


class VerificationFailed(PivotError):
    """A copy isn't what its source says, or the graph has a hole."""

    exit_code = 42


class TooLate(PivotError):
    """The target is in charge: there is nothing to abort."""

    exit_code = 43


class AnotherMover(PivotError):
    """Another pivot works on this source."""

    exit_code = 44


class Stalled(PivotError):
    """Nothing has changed for the stall limit."""

    exit_code = 11
