"""The commands; what they need is imported when they run, so that help is instant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from crosslens.cli import (
    build,
    catalog,
    evaluate,
    experiment,
    export,
    generate,
    generate_training,
    imports,
    index,
    judge,
    key,
    model,
    product,
    push,
    sample,
    scene,
    search,
    train,
)
from crosslens.cli import demo as demo_command
from crosslens.cli import doctor as doctor_command
from crosslens.cli import duplicates as duplicates_commands
from crosslens.cli import page as page_command
from crosslens.cli import plan as plan_command
from crosslens.cli import serve as serve_command
from crosslens.cli.screen import State, report_error
from crosslens.errors import CrosslensError

app = typer.Typer(
    name="crosslens",
    help="Find products by picture, by words, or by “like this, but red”.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("import")(imports.import_)
app.command("export")(export.export)
app.command("preprocess")(build.preprocess)
app.command("build")(build.build)
app.command("push")(push.push)
app.command("search")(search.search)
app.add_typer(product.app, name="product")
app.add_typer(catalog.app, name="catalog")
app.add_typer(index.app, name="index")
app.add_typer(model.app, name="model")
app.add_typer(sample.app, name="sample")
app.add_typer(train.app, name="train")
train.app.command("generator")(generate_training.generator)
train.app.command("export-generator")(generate_training.export_generator)
app.command("generate")(generate.generate)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(duplicates_commands.app, name="duplicates")
app.add_typer(scene.app, name="scene")
app.add_typer(experiment.app, name="experiment")
app.add_typer(judge.app, name="judge")
app.add_typer(key.app, name="key")
app.add_typer(serve_command.app, name="serve")
app.command("page")(page_command.page)
app.command("plan")(plan_command.plan)
app.command("doctor")(doctor_command.doctor)
app.command("demo")(demo_command.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from crosslens import __version__

        print(f"crosslens {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which everything lives. [env: CROSSLENS_HOME]", show_default=False
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what happens.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options for every command."""
    context.obj = State(home=home, verbose=verbose)


def run(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and return its exit code.

    0 done, 1 failed or found something wrong, 2 misused, 130 interrupted, 141 reader gone.
    """
    try:
        app(hoist_home(list(sys.argv[1:] if arguments is None else arguments)))
    except CrosslensError as exc:
        return report_error(exc)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        sys.stderr.close()
        return 141
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    return 0


def hoist_home(arguments: list[str]) -> list[str]:
    """Move `--home DIR` to the front, so that it may stand after the command too."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument == "--home":
            front += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.startswith("--home="):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest
