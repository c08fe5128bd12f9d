"""The root of the command line: verbs imported when used, errors in one line."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from labctl.errors import FailedError
from labctl_data.errors import LabctlError

DONE, FAILED, BAD_INPUT = 0, 1, 2

VERBS: dict[str, str] = {
    "demo": "Run the main job on the simulated board bench, and report it.",
    "procedures": "List the procedures, or the parameters of one.",
    "bench": "Check a bench file, or bring a bench to rest.",
    "run": "Run one procedure on a bench.",
    "queue": "Keep a list of measurements, and work it off.",
    "campaign": "Carry out a plan of many measurements, overnight.",
    "serve": "Serve the instruments of a simulated bench as TCP sockets.",
    "fit": "Fit a device model to run files and write a chip file.",
    "chip": "Show, compare and export chip files.",
    "infer": "Map, program and run a network on the array.",
    "reproduce": "Do a published system again: published beside obtained.",
    "data": "List, show, import, validate, recover and export run files.",
    "report": "Draw one self-contained page from run files.",
    "gui": "Open the operator's window.",
    "doctor": "Say what is installed, found and missing.",
}
"""Each verb with its line in `labctl --help`; module `labctl.cli.<verb>` holds its `command`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a working day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of the verb `cmd_name` and return its command."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"labctl.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing one of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"labctl {version('labctl')}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", count=True, help="Log to stderr; -vv with every byte.")
@click.option(
    "--version",
    is_flag=True,
    callback=_print_version,
    expose_value=False,
    is_eager=True,
    help="Print the version.",
)
def cli(verbose: int) -> None:
    """Drive a bench, measure a memristor chip, and compute with it."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=level, stream=sys.stderr, format="%(name)s: %(message)s")
    if not verbose:  # it warns at each import of what it could use and we do not
        logging.getLogger("pymeasure").setLevel(logging.ERROR)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run `labctl ARGUMENTS` and return its exit code.

    Returns
    -------
    int
        0 when the thing was done, 1 when it was begun and failed, 2 for bad input.
    """
    try:
        code = cli.main(args=list(arguments), prog_name="labctl", standalone_mode=False)
    except click.ClickException as error:
        return _complain(_usage_line(error), BAD_INPUT, arguments)
    except (click.Abort, KeyboardInterrupt):
        return _complain("stopped by the operator", FAILED, arguments)
    except (LabctlError, OSError) as error:
        said = isinstance(error, FailedError) and error.said
        return _complain(str(error), _exit_code(error), () if said else arguments)
    return code if isinstance(code, int) else DONE


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run_command_line(sys.argv[1:]))


def _exit_code(error: Exception) -> int:
    """Return 1 where work that had begun failed, else 2: what was asked could not be begun."""
    from labctl_instruments.errors import InstrumentError, RestError

    return FAILED if isinstance(error, FailedError | InstrumentError | RestError) else BAD_INPUT


def _usage_line(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return _which_command(error.ctx)
    message = " ".join(error.format_message().split())
    if context is None:
        return message
    return f"{context.command_path}: {message} (see {context.command_path} --help)"


def _which_command(context: click.Context | None) -> str:
    """Return what a group that was named without a command asks for."""
    group = context.command if context is not None else None
    if context is None or not isinstance(group, click.Group):
        return "name a command (see labctl --help)"
    names = ", ".join(group.list_commands(context))
    return f"{context.command_path}: name one of {names} (see {context.command_path} --help)"


def _complain(message: str, code: int, arguments: Sequence[str]) -> int:
    line = " ".join(message.split())
    named = line.startswith(("labctl: ", "labctl "))
    click.echo(line if named else f"labctl: {line}", err=True)
    if "--json" in arguments:
        click.echo(json.dumps({"error": line}))
    return code
