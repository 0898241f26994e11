"""``medwarden train``: a model from simulated hospitals, labelled captures and confirmed answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table, progress_of_inputs

if TYPE_CHECKING:
    from medwarden.inventory.labels.model import LabelModel


@click.command()
@click.argument("captures", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Truth of CAPTURES, a table as `medwarden score` reads it.",
)
@click.option(
    "--hospitals", default=0, type=click.IntRange(0, 299), help="Train anew, on so many simulated ones."
)
@click.option("--devices", default=400, show_default=True, type=click.IntRange(12), help="Devices of each.")
@click.option(
    "--hours", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Hours of each."
)
@click.option("--confirmed", is_flag=True, help="Learn what people confirmed in the data folder.")
@click.option("--shipped", is_flag=True, help="Make the model that comes with medwarden, exactly.")
@click.option("--seed", default=None, type=int, help="Another number divides the data otherwise.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the model goes.")
@click.option("--use", is_flag=True, help="Keep it in the data folder and label by it.")
@home_option
@json_option
def train(
    captures: tuple[Path, ...],
    labels: Path | None,
    hospitals: int,
    devices: int,
    hours: float,
    confirmed: bool,
    shipped: bool,
    seed: int | None,
    out: Path | None,
    use: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Train a model and print how good it is.

    Without --hospitals or --shipped, what CAPTURES and people say is added to the shipped model.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.models import keep_model, write_model
    from medwarden.app.train import (
        SHIPPED,
        SHIPPED_SEED,
        Recipe,
        confirmed_examples,
        labelled_examples,
        train_model,
    )

    if bool(captures) != (labels is not None):
        raise click.UsageError("captures need --labels, and --labels needs captures")
    if shipped and (captures or confirmed or hospitals):
        raise click.UsageError("the shipped model is trained on its own recipe alone")
    recipe = (
        SHIPPED if shipped else Recipe(seeds=tuple(range(1, hospitals + 1)), devices=devices, hours=hours)
    )
    with progress_of_inputs("training") as progress:
        told = labelled_examples(captures, labels, progress=progress) if labels is not None else []
        answered = confirmed_examples(data_folder(home)) if confirmed else []
        trained = train_model(
            recipe,
            seed=SHIPPED_SEED if seed is None else seed,
            labelled=told,
            confirmed=answered,
            progress=progress,
        )
    if out is not None:
        write_model(out, trained.model)
    if use:
        keep_model(data_folder(home), trained.model)
    _print(trained.model, as_json)
    return 0


def _print(model: LabelModel, as_json: bool) -> None:
    card = {"digest": model.digest, "octets": len(model.to_bytes()), **model.about.card}
    if as_json:
        print_json(card)
        return
    names = ("n", "accuracy", "macro_f1", "ece_before", "ece", "never_seen", "open_set_auroc")
    rows = [
        [level, *("-" if figures.get(name) is None else f"{figures[name]}" for name in names)]
        for level, figures in card["validation"].items()
    ]
    print_table("", ("level", *names), rows)
    sources = ", ".join(f"{count} {name}" for name, count in card["sources"].items() if count)
    click.echo(f"model {model.version}: {card['octets']} octets, from {sources or 'nothing new'}", err=True)
