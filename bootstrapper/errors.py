"""Everything that can stop a run, by whose problem it is, each with its exit code.

An error says three things: `what` happened to which thing, `why` (the cause in plain words), and `hint`
(what to type or do next). `cli.py` prints them and exits with `exit_code`; nothing else decides exit codes.
A programmer's mistake is no such error: it is an assertion with a traceback.

| exit codes | whose problem |
| --- | --- |
| 10-19 | a step that didn't close; the same command goes on |
| 20-29 | the request |
| 30-39 | this machine or account |
| 40-49 | the pivot (`pivot.errors`) |
| 50-59 | the bundle |
| 130 | interrupted by the operator |
"""

from __future__ import annotations

from typing import ClassVar

from pivot.errors import PivotError


class BootstrapperError(Exception):
    """Base of all: `what` (one sentence naming the thing), `why` (the cause), `hint` (the next command)."""

    exit_code: ClassVar[int] = 1
    #: False when asking again later may help (the caller may wait), True when it can't.
    permanent: ClassVar[bool] = True

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


# 10-19: a step that didn't close


class StepError(BootstrapperError):
    """A step can't be closed, and waiting won't help."""

    exit_code = 10


class Stalled(StepError):
    """Nothing has changed for the stall limit."""

    exit_code = 11


class LostContact(StepError):
    """Something we talk to doesn't answer now. Transient: a later try may succeed."""

    exit_code = 12
    permanent = False


class NotInCharge(StepError):
    """The management cluster exists, isn't in charge, and the bootstrap cluster is gone: `init` can't help."""

    exit_code = 13


# 20-29: the request


class RequestError(BootstrapperError):
    """What was asked for can't be done as asked."""

    exit_code = 20


class ConfigError(RequestError):
    """The config file: unknown key, wrong type, bad value. `what` starts with file:line."""

    exit_code = 21


class TemplateError(RequestError):
    """The operator's own YAML: a missing variable, not a CAPI object, no Cluster in it."""

    exit_code = 22


class UnknownCluster(RequestError):
    """No cluster of that name is known."""

    exit_code = 23


class Declined(RequestError):
    """A destructive command wasn't confirmed."""

    exit_code = 24


# 30-39: this machine or account


class MachineError(BootstrapperError):
    """This machine isn't fit for the run."""

    exit_code = 30


class EngineUnavailable(MachineError):
    """The container engine is absent, doesn't answer, or is too old."""

    exit_code = 31


class NotEnough(MachineError):
    """Too little memory, disk or another resource."""

    exit_code = 32


class Refused(MachineError):
    """We lack a permission, here or on an API server."""

    exit_code = 33


class Taken(MachineError):
    """A name, port or container that we need belongs to someone else."""

    exit_code = 34


class AnotherRun(MachineError):
    """Another run works on the same management cluster."""

    exit_code = 35


# 50-59: the bundle


class BundleError(BootstrapperError):
    """The bundle lacks something."""

    exit_code = 50


class BundleDamaged(BundleError):
    """A digest in the bundle is wrong."""

    exit_code = 51


#: Everything that is told to the operator as what, why and hint; both have `permanent` and `exit_code`.
EXPLAINED = (BootstrapperError, PivotError)
