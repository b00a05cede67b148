"""`shoal summarize`: train a summarizer on your own texts, score it, and let it write."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import show, showing_progress
from shoal.studies.summarize_asked_config import TextsConfig, TrainingConfig, WritingConfig

summarize = App(name="summarize", help="A summarizer for your own texts, that says when it overfits.")


@summarize.command
def fit(
    train: str,
    /,
    texts: Annotated[TextsConfig, Parameter(name="*")] = TextsConfig(),  # noqa: B008 - frozen
    config: Annotated[TrainingConfig, Parameter(name="*")] = TrainingConfig(),  # noqa: B008 - frozen
    *,
    validation: Path | None = None,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Train a summarizer and say whether it overfits; interrupted, the same command goes on.

    Args:
        train: a JSONL or CSV file of documents and summaries, a folder of such files, a git repository, or the name of
            a set (debian-descriptions, aeslc, docstrings, git-log).
        texts: how rows are read.
        config: how it is trained.
        validation: a file of pairs that the training is watched with; the set's own, or a tenth of the pairs, unless
            given.
        output: folder for the model, its card and its losses; runs/summarize-NAME unless given.
        json: print as JSON.
    """
    from shoal.files import check_folder, write_text
    from shoal.report import render
    from shoal.studies.summarize_asked import find_texts
    from shoal.studies.summarize_asked import train as train_on
    from shoal.studies.summarize_asked_page import answer, page_of, write_losses

    words = ["shoal", *sys.argv[1:]]
    place = output or Path("runs") / f"summarize-{Path(train).stem or 'here'}"
    check_folder(place)
    with showing_progress() as progress:
        asked = find_texts(train, validation, texts, seed=config.seed)
        for line in asked.says:
            progress.say(f"data: {line}")
        summarizer, about = train_on(asked, config, place, words, progress)
    found = answer(summarizer, asked, place)
    write_text(place / "losses.csv", write_losses(summarizer.history))
    write_text(place / "losses.html", render([page_of(summarizer, found, words, about)]))
    show(found, found.lines(), json=json)


@summarize.command
def score(
    model: Path,
    data: str,
    /,
    texts: Annotated[TextsConfig, Parameter(name="*")] = TextsConfig(),  # noqa: B008 - frozen
    writing: Annotated[WritingConfig, Parameter(name="*")] = WritingConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Score a summarizer by ROUGE beside what needs no training; the scores are noted on the model's card.

    Args:
        model: folder that `shoal summarize fit` wrote.
        data: a JSONL or CSV file of documents and summaries, or the name of a set, of which the test part is taken.
        texts: how rows are read.
        writing: how summaries are written.
        output: file for the summaries, one a line.
        json: print as JSON.
    """
    from shoal.files import write_text
    from shoal.studies.summarize_asked import score_saved

    with showing_progress() as progress:
        found, written = score_saved(model, data, texts, writing, progress)
    if output:
        write_text(output, "".join(f"{' '.join(text.split())}\n" for text in written))
    show(found, found.lines(), json=json)


@summarize.command
def run(
    model: Path,
    /,
    *files: Path,
    writing: Annotated[WritingConfig, Parameter(name="*")] = WritingConfig(),  # noqa: B008 - frozen
    document: str = "document",
    json: bool = False,
) -> None:
    """Write summaries of files, or of what is piped in.

    Args:
        model: folder that `shoal summarize fit` wrote.
        files: plain texts, one document each; or JSONL or CSV files with a field of documents.
        writing: how summaries are written.
        document: that field.
        json: print as JSON.
    """
    from shoal.studies.summarize_asked import read_all
    from shoal.summarize import Summarizer, WritingRules

    rules = WritingRules(**writing.options())
    summarizer = Summarizer.from_pretrained(model)
    texts, places = read_all(files, sys.stdin.buffer, document)
    if cut := summarizer.encode(texts).cut:
        print(f"{cut} of {len(texts)} documents are longer than the model reads, and cut", file=sys.stderr)
    written = summarizer.write(texts, rules)
    found = [{"source": place, "summary": text} for place, text in zip(places, written, strict=True)]
    show(found, written, json=json)
