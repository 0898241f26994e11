"""The ``medwarden`` command: its groups, and the one place where an error becomes a sentence."""

from __future__ import annotations

import importlib
import os
import select
import sys
import traceback

import click

import medwarden
from medwarden.kernel.errors import ConfigurationError, MedwardenError
from medwarden.kernel.printable import printable

_COMMANDS = {
    "assess": "medwarden.cli.captures",
    "replay": "medwarden.cli.captures",
    "score": "medwarden.cli.score",
    "simulate": "medwarden.cli.simulate",
    "train": "medwarden.cli.train",
    "devices": "medwarden.cli.inventory",
    "device": "medwarden.cli.inventory",
    "findings": "medwarden.cli.inventory",
    "evidence": "medwarden.cli.evidence",
    "names": "medwarden.cli.sight",
    "batteries": "medwarden.cli.sight",
    "coverage": "medwarden.cli.sight",
    "policy": "medwarden.cli.policy",
    "places": "medwarden.cli.places",
    "sites": "medwarden.cli.sites",
    "books": "medwarden.cli.books",
    "reconcile": "medwarden.cli.reconcile",
    "gudid": "medwarden.cli.gudid",
    "sbom": "medwarden.cli.sbom",
    "mds2": "medwarden.cli.mds2",
    "knowledge": "medwarden.cli.knowledge",
    "risk": "medwarden.cli.risk",
    "vulnerabilities": "medwarden.cli.vulnerabilities",
    "work": "medwarden.cli.work",
    "vex": "medwarden.cli.vex",
    "scans": "medwarden.cli.scans",
    "recalls": "medwarden.cli.recalls",
    "support": "medwarden.cli.support",
    "replacement": "medwarden.cli.replacement",
    "letters": "medwarden.cli.letters",
    "attributes": "medwarden.cli.attributes",
    "identity": "medwarden.cli.identity",
    "unknown": "medwarden.cli.answers",
    "answer": "medwarden.cli.answers",
    "answers": "medwarden.cli.answers",
    "fingerprint": "medwarden.cli.fingerprint",
    "capture": "medwarden.cli.capture",
    "query": "medwarden.cli.query",
    "sanitise": "medwarden.cli.sanitise",
    "up": "medwarden.cli.run",
    "serve": "medwarden.cli.run",
    "sensor": "medwarden.cli.run",
    "worker": "medwarden.cli.run",
    "doctor": "medwarden.cli.upkeep",
    "backup": "medwarden.cli.upkeep",
    "restore": "medwarden.cli.upkeep",
    "user": "medwarden.cli.upkeep",
}
"""Which module holds a command; modules are loaded when their command is asked for, so that
``medwarden --help`` does not wait for the database or the engines."""

DEFECT_STATUS = 70  # EX_SOFTWARE of sysexits.h


class _LazyGroup(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(importlib.import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(medwarden.__version__, prog_name="medwarden")
def cli() -> None:
    """Know, protect and follow the connected devices of a hospital."""


def main() -> None:
    """Run the command line and end with its status: 0 done, 1 an error named on stderr, 2 wrong usage."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; never lets a traceback reach the user."""
    try:
        outcome = cli.main(args=arguments, prog_name="medwarden", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("medwarden: interrupted", err=True)
        return 130
    except SystemExit:
        # click's way to say that the reader of our output went away (`medwarden devices | head`).
        if not _reader_is_gone():
            raise
        return 0
    except BrokenPipeError:
        # The same, found when the last of our output was written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigurationError as error:
        click.echo(f"medwarden: {printable(str(error))}", err=True)
        return 2
    except MedwardenError as error:
        click.echo(f"medwarden: {printable(str(error))}", err=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the last boundary: a defect is said, not thrown at the user
        if os.environ.get("MEDWARDEN_DEBUG"):
            traceback.print_exc()
        click.echo(
            f"medwarden: this is a defect in medwarden ({type(error).__name__}: {printable(str(error))}); "
            "please report it with the output of the same command under MEDWARDEN_DEBUG=1",
            err=True,
        )
        return DEFECT_STATUS


def _reader_is_gone() -> bool:
    """Tell whether nobody can read our output any more."""
    output = select.poll()
    output.register(1, 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


if __name__ == "__main__":
    main()
