"""The command line: parses, prints, turns errors into exit codes; decides nothing.

Heavy modules are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bootstrapper.errors import EXPLAINED
from bootstrapper.settings import STALL, Settings

if TYPE_CHECKING:
    from bootstrapper.config import ManagementCluster

#: Exit code after Ctrl-C.
INTERRUPTED = 130

FILE = click.Path(exists=False, dir_okay=False, path_type=Path)


F = TypeVar("F", bound=Callable[..., Any])

#: Where the shared options are kept while the line is parsed: they may stand before or after the command.
_GIVEN = "bootstrapper.given"


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        context.meta.setdefault(_GIVEN, {})[parameter.name] = value


def shared(command: F) -> F:
    """The options that every command has."""
    for option in (
        click.option("--timeout", type=click.IntRange(1), help=f"Seconds without any change ({STALL}).", **_SHARED),
        click.option("-v", "--verbose", is_flag=True, help="Also on a terminal, print each change.", **_SHARED),
        click.option("--no-color", is_flag=True, help="No colours (NO_COLOR does the same).", **_SHARED),
        click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and nothing else there.", **_SHARED),
    ):
        command = option(command)
    return command


_SHARED: dict[str, Any] = {"expose_value": False, "callback": _remember}


def _settings() -> Settings:
    """What the shared options of this call say."""
    given = dict(click.get_current_context().meta.get(_GIVEN, {}))
    stall = float(given.pop("timeout", STALL))
    return Settings(**given, stall=stall)


def command(group: click.Group, name: str | None = None) -> Callable[[Callable[..., None]], click.Command]:
    """A command of a group: gets the shared options, and `Settings` as its first argument."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> None:
            function(_settings(), *args, **kwargs)

        return group.command(name)(shared(called))

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@shared
@click.version_option(package_name="bootstrapper")
def main() -> None:
    """From an empty machine to a Kubernetes management cluster that manages itself.

    Any command can be stopped at any time and run again: it goes on from what it sees.
    """


@command(main)
@click.option("-f", "--file", type=FILE, help="The request. Without one: docker, one control-plane node, named mgmt.")
@click.option("--bundle", type=click.Path(file_okay=False, path_type=Path), help="Where the parts are.")
@click.option("--yes", is_flag=True, help="Ask nothing; init asks nothing as yet.", hidden=True)
@click.option("--keep-bootstrap", is_flag=True, help="Leave the bootstrap cluster (fenced) for a look.")
def init(settings: Settings, file: Path | None, bundle: Path | None, yes: bool, keep_bootstrap: bool) -> None:
    """From an empty machine to a self-managing cluster."""
    from bootstrapper.commands import management

    management.init(settings, request(file, bundle), keep_bootstrap=keep_bootstrap)


@command(main)
@click.option("-f", "--file", type=FILE, help="The request.")
@click.option("--bundle", type=click.Path(file_okay=False, path_type=Path), help="Where the parts are.")
def plan(settings: Settings, file: Path | None, bundle: Path | None) -> None:
    """What `init` would do now, step by step, with why; touches nothing."""
    from bootstrapper.commands import management

    management.plan(settings, request(file, bundle))


@command(main)
@click.option("-f", "--file", type=FILE, help="The request.")
@click.option("--bundle", type=click.Path(file_okay=False, path_type=Path), help="Where the parts are.")
def doctor(settings: Settings, file: Path | None, bundle: Path | None) -> None:
    """Every check that can be made before anything is touched, each finding with its remedy."""
    from bootstrapper.commands import management

    management.doctor(settings, request(file, bundle))


@command(main)
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Print again whenever it changes, until Ctrl-C.")
def status(settings: Settings, name: str | None, watch: bool) -> None:
    """What is and isn't ready in a management cluster, and why."""
    from bootstrapper.commands import management

    management.status(settings, name, watch=watch)


@command(main)
@click.argument("name")
def kubeconfig(settings: Settings, name: str) -> None:
    """A management cluster's kubeconfig on stdout."""
    from bootstrapper.commands import management

    management.kubeconfig(settings, name)


@command(main)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
def destroy(settings: Settings, name: str, yes: bool) -> None:
    """The way back: what `init` made is gone; what is left over is listed."""
    from bootstrapper.commands import management

    management.destroy(settings, name, yes=yes)


@command(main)
def schema(settings: Settings) -> None:
    """The request's JSON Schema."""
    from bootstrapper.schema import SCHEMA

    click.echo(json.dumps(SCHEMA, indent=2))


@main.group()
@shared
def certificates() -> None:
    """The providers' webhook certificates."""


@command(certificates)
@click.argument("name")
def renew(settings: Settings, name: str) -> None:
    """Issue new webhook certificates in management cluster NAME; nothing is interrupted."""
    from bootstrapper.commands import management

    management.renew_certificates(settings, name)


@main.group()
@shared
def cluster() -> None:
    """Workload clusters of a management cluster."""


def of_management(function: F) -> F:
    """The options that say which management cluster, and where in it."""
    owner = click.option("-m", "--management", "owner", help="The management cluster, when there are several.")
    return owner(click.option("-n", "--namespace", default="default", show_default=True)(function))


@command(cluster, "create")
@of_management
@click.argument("name")
@click.option("--control-plane", type=int, default=1, show_default=True, help="Machines in the control plane.")
@click.option("--workers", type=int, default=0, show_default=True, help="Worker machines.")
@click.option("--kubernetes-version", help="As v1.36.3; without it the bundle's.")
@click.option("-f", "--file", "template", type=FILE, help="Own Cluster API YAML with ${VAR:=default}.")
def cluster_create(settings: Settings, owner: str | None, namespace: str, name: str, **asked: Any) -> None:
    """Create workload cluster NAME and wait until it is whole."""
    from bootstrapper.commands import workload

    workload.create(settings, owner, namespace, name, **asked)


@command(cluster, "list")
@of_management
def cluster_list(settings: Settings, owner: str | None, namespace: str) -> None:
    """The clusters of a management cluster, itself among them."""
    from bootstrapper.commands import workload

    workload.list_all(settings, owner, namespace)


@command(cluster, "status")
@of_management
@click.argument("name")
def cluster_status(settings: Settings, owner: str | None, namespace: str, name: str) -> None:
    """What is and isn't ready in workload cluster NAME, and why."""
    from bootstrapper.commands import workload

    workload.status(settings, owner, namespace, name)


@command(cluster, "scale")
@of_management
@click.argument("name")
@click.option("--control-plane", type=int, help="Machines in the control plane: 1, 3 or 5.")
@click.option("--workers", type=click.IntRange(0), help="Worker machines.")
@click.option("--pool", help="Which worker pool, when there are several.")
def cluster_scale(settings: Settings, owner: str | None, namespace: str, name: str, **asked: Any) -> None:
    """Change the number of machines of workload cluster NAME and wait until it is so."""
    from bootstrapper.commands import workload

    workload.scale(settings, owner, namespace, name, **asked)


@command(cluster, "delete")
@of_management
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
def cluster_delete(settings: Settings, owner: str | None, namespace: str, name: str, yes: bool) -> None:
    """Delete workload cluster NAME with its machines and wait until they are gone."""
    from bootstrapper.commands import workload

    workload.delete(settings, owner, namespace, name, yes=yes)


@command(cluster, "kubeconfig")
@of_management
@click.argument("name")
def cluster_kubeconfig(settings: Settings, owner: str | None, namespace: str, name: str) -> None:
    """Workload cluster NAME's kubeconfig on stdout."""
    from bootstrapper.commands import workload

    workload.kubeconfig(settings, owner, namespace, name)


PATH = click.Path(exists=True, dir_okay=False, path_type=Path)


def both_sides(required: bool) -> Callable[[F], F]:
    """The options that name a pivot's two clusters."""

    def decorate(function: F) -> F:
        to = click.option("--to-kubeconfig", "target", type=PATH, required=required, help="Who gets everything.")
        source = click.option("--kubeconfig", "source", type=PATH, required=required, help="Who has it now.")
        return source(to(function))

    return decorate


@main.group(invoke_without_command=True)
@shared
@both_sides(required=False)
@click.option("-n", "--namespace", "namespaces", multiple=True, help="Only this one; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print the plan: each object with its verdict; touch nothing.")
@click.option(
    "--source",
    "mode",
    type=click.Choice(["keep", "destroyed-later"]),
    default="keep",
    show_default=True,
    help="What becomes of the source: it lives on without what moved, or it is thrown away as a whole.",
)
@click.option("--allow", multiple=True, metavar='"KIND NAMESPACE/NAME"', help="May stay behind though it can't move.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_context
def pivot(context: click.Context, /, source: Path | None, target: Path | None, **asked: Any) -> None:
    """Move everything from one management cluster to another: pivot --kubeconfig SRC --to-kubeconfig DST."""
    given = [name for name in ("source", "target", *asked) if _said(context, name)]
    if context.invoked_subcommand is not None:
        if given:
            raise click.UsageError(f"options go behind '{context.invoked_subcommand}'")
        return
    if source is None or target is None:
        raise click.UsageError("a pivot needs --kubeconfig SRC and --to-kubeconfig DST")
    from bootstrapper.commands import moving

    moving.pivot(_settings(), source, target, **asked)


def _said(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


@command(pivot, "abort")
@both_sides(required=True)
def pivot_abort(settings: Settings, source: Path, target: Path) -> None:
    """Undo a pivot that has not handed over, from any machine; after the hand-over it refuses and says what to do."""
    from bootstrapper.commands import moving

    moving.abort(settings, source, target)


@command(pivot, "status")
@both_sides(required=True)
def pivot_status(settings: Settings, source: Path, target: Path) -> None:
    """Which cluster is in charge, and how far a pivot is."""
    from bootstrapper.commands import moving

    moving.status(settings, source, target)


def request(file: Path | None, bundle: Path | None) -> ManagementCluster:
    """The request of a config file, with the bundle of the command line."""
    from dataclasses import replace

    from bootstrapper import config

    found = config.load(file)
    return replace(found, bundle=bundle.resolve()) if bundle else found


def entry() -> None:
    """The program. Exits with the code that cli.md names; a programmer's mistake keeps its traceback."""
    guarded(lambda: main(standalone_mode=False))


def guarded(run: Callable[[], object]) -> None:
    """Run, and turn what stops it into words on stderr and an exit code."""
    try:
        run()
    except EXPLAINED as error:
        from bootstrapper.ui import failure_text

        click.echo(failure_text(error), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; running the same command again is safe", err=True)
        sys.exit(INTERRUPTED)
