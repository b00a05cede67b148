"""`shoal exits`: networks of your own that stop early, with a guarantee of what that may cost."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import show, showing_progress
from shoal.studies.exits_asked_config import CalibratingConfig, FittingConfig, PolicyName, SweepingConfig

exits = App(name="exits", help="Networks for your own images that stop early, with a guarantee of what that may cost.")


@exits.command
def fit(
    folder: str,
    /,
    config: Annotated[FittingConfig, Parameter(name="*")] = FittingConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Train a network with exits, or exits on a network that you have; part of the images is held out.

    Args:
        folder: a folder of class folders of images, or a data set's name.
        config: how it is made.
        output: folder to save the network in; runs/exits-NAME unless given.
        json: print as JSON.
    """
    from shoal.exits.saving import save_exits
    from shoal.files import check_folder
    from shoal.studies.exits_asked import ExitsFitting

    with showing_progress() as progress:
        asked = ExitsFitting(folder, config)
        place = output or Path("runs") / asked.run_name
        check_folder(place)
        progress.say(f"data: {asked.says}")
        fitted = asked.run(progress)
        if asked.config.model:
            progress.say("If the given network has seen the held-out images, calibrate on others.")
    save_exits(fitted.net, place, inputs=asked.inputs, made_by=asked.made_by)
    found = asked.answer(fitted, place)
    show(found, found.lines(), json=json)


@exits.command
def calibrate(
    saved: Path,
    images: str,
    /,
    config: Annotated[CalibratingConfig, Parameter(name="*")] = CalibratingConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Choose when to leave so that it loses no more than you allow, and prove it; writes policy.json into the folder.

    Args:
        saved: folder that `shoal exits fit` wrote.
        images: a folder of class folders of images, or a data set's name. Of the one that the network was fitted on,
            what was held out is taken.
        config: what is guaranteed.
        json: print as JSON.
    """
    from shoal.studies.exits_asked_calibrate import calibrate_saved

    with showing_progress() as progress:
        found = calibrate_saved(saved, images, config, progress)
    show(found, found.lines(), json=json)


@exits.command
def sweep(
    saved: Path,
    images: str,
    /,
    config: Annotated[SweepingConfig, Parameter(name="*")] = SweepingConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Measure accuracy, MACs and time at many thresholds, from bold to safe; writes a CSV file and a page.

    Args:
        saved: folder that `shoal exits fit` wrote.
        images: a folder of class folders of images, or a data set's name. Of the one that the network was fitted on,
            what was held out is taken; where that has a test part, it chooses thresholds for the test images.
        config: the settings.
        output: folder for frontier.csv and frontier.html; that of the network unless given.
        json: print as JSON.
    """
    from shoal.files import check_folder, write_text
    from shoal.report import render
    from shoal.studies.exits_asked_page import answer, page_of, write_rows
    from shoal.studies.exits_asked_sweep import sweep_saved

    place = output or saved
    rows, drawn = place / "frontier.csv", place / "frontier.html"
    with showing_progress() as progress:
        check_folder(place)
        swept = sweep_saved(saved, images, config, progress)
        found = answer(swept, config, rows, drawn)
        page = render([page_of(swept, found, config, str(saved), images)])
    write_text(rows, write_rows(swept))
    write_text(drawn, page)
    show(found, found.lines(), json=json)


@exits.command
def export(
    saved: Path,
    file: Path,
    /,
    *,
    thresholds: str = "",
    policy: PolicyName | None = None,
    json: bool = False,
) -> None:
    """Write the network and its policy as one file that really skips what it need not compute, for batches of any size.

    Args:
        saved: folder that `shoal exits fit` wrote.
        file: a name that ends in .pt2 (torch) or .onnx.
        thresholds: one number per exit joined by commas, or never; those of `shoal exits calibrate` unless given.
        policy: what these are thresholds of; confidence unless given.
        json: print as JSON.
    """
    from shoal.studies.exits_asked_export import export_saved

    found = export_saved(saved, file, thresholds=thresholds, policy=policy or "")
    show(found, found.lines(), json=json)
