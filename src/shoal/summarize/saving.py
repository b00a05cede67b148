"""A summarizer in a folder: config.json, model.safetensors, tokenizer.json, training.json, and a card to read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from shoal.engine import History
from shoal.errors import InputError, ShoalError
from shoal.files import atomic_file, check_folder, write_json, write_text
from shoal.summarize.card import card_of
from shoal.summarize.model import SummaryModel
from shoal.summarize.model_config import ModelConfig
from shoal.summarize.tokenizer import Tokenizer

if TYPE_CHECKING:
    from shoal.summarize.summarizer import Summarizer

KIND = "shoal summarizer"
VERSION = 1


def save(summarizer: "Summarizer", folder: str | Path) -> Path:
    """Write a summarizer; config.json comes last, so that a folder with it is complete.

    Args:
        summarizer: to write.
        folder: made if it is missing.

    Raises:
        ShoalError: if it cannot be written.
    """
    folder = Path(folder)
    check_folder(folder, "the model's folder")
    (folder / "config.json").unlink(missing_ok=True)  # what is being replaced is no whole model any more
    weights = {name: value.detach().cpu().contiguous() for name, value in summarizer.model.state_dict().items()}
    with atomic_file(folder / "model.safetensors") as file:
        file.write(to_bytes(weights))
    summarizer.tokenizer.save(folder / "tokenizer.json")
    _write_training(summarizer, folder)
    write_json(folder / "config.json", {"kind": KIND, "version": VERSION, "model": asdict(summarizer.model.config)})
    return folder


def load(folder: str | Path) -> "Summarizer":
    """Read a summarizer.

    Raises:
        ShoalError: if a file is missing, truncated, or does not belong to the others.
    """
    from shoal.summarize.summarizer import Summarizer
    from shoal.summarize.training import verdict_on

    folder = Path(folder)
    if not folder.is_dir():
        raise ShoalError(f"{folder}: expected a folder that `save_pretrained` wrote, got no folder of this name")
    config = _read_json(folder / "config.json", folder)
    if config.get("kind") != KIND or config.get("version") != VERSION:
        got = f"{config.get('kind', 'another kind')!s} {config.get('version', '')!s}".strip()
        raise ShoalError(f"{folder / 'config.json'}: expected a {KIND}, version {VERSION}, got: {got}")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    try:
        model = SummaryModel(ModelConfig(**config["model"]))
    except (TypeError, KeyError, InputError) as error:
        raise _broken(folder / "config.json", error) from None
    path = folder / "model.safetensors"
    try:
        model.load_state_dict(from_bytes(path.read_bytes()))
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise _broken(path, error) from None
    kept = _read_json(folder / "training.json", folder)
    history = History(kept.get("rows", []), kept.get("precision", "fp32"), kept.get("seconds", 0.0))
    return Summarizer(model, tokenizer, history, verdict_on(history), kept.get("about", {}))


def note_scores(folder: str | Path, name: str, scores: str) -> None:
    """Write scores into training.json and onto the card; what is scored again is replaced.

    Args:
        folder: of a saved summarizer.
        name: of the data and of the way of writing.
        scores: in words.

    Raises:
        ShoalError: if it cannot be written.
    """
    summarizer = load(folder)
    summarizer.about["scores"] = summarizer.about.get("scores", {}) | {name: scores}
    _write_training(summarizer, Path(folder))


def _write_training(summarizer: "Summarizer", folder: Path) -> None:
    history = summarizer.history
    kept = {"rows": history.rows, "precision": history.precision, "seconds": history.seconds}
    write_json(folder / "training.json", kept | {"about": summarizer.about})
    write_text(folder / "README.md", card_of(summarizer))


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError("not an object")
        return found
    except FileNotFoundError:
        raise ShoalError(
            f"{folder}: expected a model that `save_pretrained` wrote, got a folder without {path.name}"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> ShoalError:
    reason = " ".join(str(error).split())[:160]
    return ShoalError(f"{path}: expected a part of a saved summarizer, got: {reason}; save or copy the model again")
