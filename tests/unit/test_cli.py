"""The command line: what stands before or after a command, and which code the program ends with."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import click
import pytest

from bootstrapper import cli, errors
from bootstrapper.commands import management, workload
from bootstrapper.settings import STALL, Settings
from pivot import errors as pivot_errors


def called(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What a command's function is called with."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(module, name, lambda *args, **kwargs: calls.append((args, kwargs)))
    return calls


def run(*words: str) -> None:
    cli.main(list(words), standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        pytest.param(["status"], Settings(), id="none"),
        pytest.param(["--json", "status"], Settings(as_json=True), id="before"),
        pytest.param(["status", "--json"], Settings(as_json=True), id="after"),
        pytest.param(["--json", "status", "--json"], Settings(as_json=True), id="both"),
        pytest.param(["-v", "status", "--no-color"], Settings(verbose=True, no_color=True), id="one here, one there"),
        pytest.param(["--timeout", "5", "status"], Settings(stall=5.0), id="timeout before"),
        pytest.param(["status", "--timeout", "5"], Settings(stall=5.0), id="timeout after"),
        pytest.param(["--timeout", "5", "status", "--timeout", "7"], Settings(stall=7.0), id="the nearer one wins"),
    ],
)
def test_shared_options(words: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = called(monkeypatch, management, "status")
    run(*words)
    assert calls == [((settings, None), {"watch": False})]


@pytest.mark.parametrize(
    "words",
    [["--json", "cluster", "list"], ["cluster", "--json", "list"], ["cluster", "list", "--json"]],
    ids=["before the group", "within the group", "after the command"],
)
def test_shared_options_of_commands_in_a_group(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = called(monkeypatch, workload, "list_all")
    run(*words)
    assert calls == [((Settings(as_json=True), None, "default"), {})]


def test_one_call_leaves_nothing_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = called(monkeypatch, management, "status")
    run("status", "--json")
    run("status")
    assert [args[0].as_json for args, _ in calls] == [True, False]
    assert calls[1][0][0].stall == STALL


def test_every_command_has_the_shared_options() -> None:
    def commands(group: click.Group) -> list[click.Command]:
        found: list[click.Command] = []
        for one in group.commands.values():
            found += commands(one) if isinstance(one, click.Group) else [one]
        return found

    for one in commands(cli.main):
        names = {name for option in one.params for name in option.opts}
        assert {"--json", "--no-color", "--timeout", "-v"} <= names, one.name
        assert one.help, one.name


@pytest.mark.parametrize(
    ("words", "module", "name", "args", "kwargs"),
    [
        (["destroy", "mgmt", "--yes"], management, "destroy", ("mgmt",), {"yes": True}),
        (["status", "mgmt", "--watch"], management, "status", ("mgmt",), {"watch": True}),
        (["kubeconfig", "mgmt"], management, "kubeconfig", ("mgmt",), {}),
        (["certificates", "renew", "mgmt"], management, "renew_certificates", ("mgmt",), {}),
        (
            ["cluster", "scale", "dev", "-m", "mgmt", "-n", "team", "--workers", "2"],
            workload,
            "scale",
            ("mgmt", "team", "dev"),
            {"control_plane": None, "workers": 2, "pool": None},
        ),
        (
            ["cluster", "create", "dev"],
            workload,
            "create",
            (None, "default", "dev"),
            {"control_plane": 1, "workers": 0, "kubernetes_version": None, "template": None},
        ),
        (["cluster", "delete", "dev"], workload, "delete", (None, "default", "dev"), {"yes": False}),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_a_command_hands_on(
    words: list[str],
    module: Any,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = called(monkeypatch, module, name)
    run(*words)
    assert calls == [((Settings(), *args), kwargs)]


def test_what_is_handed_on_is_what_the_functions_take() -> None:
    for module in (management, workload):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and "settings" in inspect.signature(function).parameters:
                assert next(iter(inspect.signature(function).parameters)) == "settings", name


def classes(*modules: Any) -> list[type[Exception]]:
    return [
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, errors.EXPLAINED) and found.__module__ == module.__name__
    ]


def ended(run: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as raised:
        cli.guarded(run)
    return raised.value.code


@pytest.mark.parametrize("kind", classes(errors, pivot_errors), ids=lambda kind: kind.__name__)
def test_every_error_is_told_and_ends_with_its_code(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    findings = kind is pivot_errors.PreflightRefused
    error = kind("it stopped", ("a cause",) if findings else "a cause", "type this")

    def stop() -> None:
        raise error

    assert ended(stop) == kind.exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split(maxsplit=1) for line in said.err.splitlines()] == [
        ["error:", "it stopped"],
        ["why:", "a cause"],
        ["next:", "type this"],
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BootstrapperError, 1),
        (errors.StepError, 10),
        (errors.Stalled, 11),
        (errors.LostContact, 12),
        (errors.NotInCharge, 13),
        (errors.ConfigError, 21),
        (errors.TemplateError, 22),
        (errors.UnknownCluster, 23),
        (errors.Declined, 24),
        (errors.EngineUnavailable, 31),
        (errors.NotEnough, 32),
        (errors.Refused, 33),
        (errors.Taken, 34),
        (errors.AnotherRun, 35),
        (pivot_errors.PivotError, 40),
        (pivot_errors.TargetRefused, 41),
        (pivot_errors.VerificationFailed, 42),
        (pivot_errors.TooLate, 43),
        (pivot_errors.AnotherMover, 44),
        (errors.BundleError, 50),
        (errors.BundleDamaged, 51),
    ],
)
def test_the_codes_that_scripts_rely_on(error: type[errors.BootstrapperError], code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_ends_with_130(error: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    def stop() -> None:
        raise error

    assert ended(stop) == 130
    assert "running the same command again is safe" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["no-such-command"], ["status", "--no-such-option"], ["kubeconfig"], ["status", "--timeout", "0"]],
    ids=lambda words: " ".join(words),
)
def test_a_wrong_command_line_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(lambda: run(*words)) == 2
    assert "Error:" in capsys.readouterr().err


def test_a_programmers_mistake_keeps_its_traceback() -> None:
    def stop() -> None:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        cli.guarded(stop)


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("schema")
    assert json.loads(capsys.readouterr().out)["properties"]["kind"]["const"] == "ManagementCluster"
