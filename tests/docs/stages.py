"""What each page's code takes from its reader, made small; and what must have come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

Names = dict[str, Any]


def nothing(_names: Names, _printed: str) -> None:
    """Code that runs is enough."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How a page's Python is run by the tests.

    Attributes:
        names: makes what the page takes from the reader.
        small: what is written on the page, and what is run instead, so that it takes seconds.
        check: looks at the names and at what was printed, at the end.
    """

    names: Callable[[], Names] = dict
    small: dict[str, str] = field(default_factory=dict)
    check: Callable[[Names, str], None] = nothing

    def prepare(self, code: str) -> str:
        """Code as it is run."""
        for written, here in self.small.items():
            code = code.replace(written, here)
        return code


def exits_names() -> Names:
    """A network of four channels, and noise in place of images."""
    from shoal.nets import create_model

    torch.manual_seed(0)
    model = create_model("cifar_resnet18", width=4)
    return {
        "your_model": model,
        "before": {name: value.clone() for name, value in model.state_dict().items()},
        "images": torch.randn(64, 3, 8, 8),
        "labels": torch.arange(64) % 10,
        "held_out_images": torch.randn(400, 3, 8, 8),
        "held_out_labels": torch.arange(400) % 10,
        "new_images": torch.randn(5, 3, 8, 8),
    }


def exits_check(names: Names, printed: str) -> None:
    """Three values for each row, and weights that "stay as they are"."""
    result = names["result"]
    assert result.logits.shape == (5, 10)
    assert result.exit_index.shape == result.macs.shape == (5,)
    heads_check(names, printed)


def heads_check(names: Names, printed: str) -> None:
    """Weights that "stay as they are", and a policy with a promise."""
    backbone = names["net"].backbone
    assert all(torch.equal(value, names["before"][name]) for name, value in backbone.state_dict().items())
    assert names["policy"].certificate is not None


def difficulty_names() -> Names:
    """A network of four channels, and images that differ in brightness."""
    from shoal.nets import create_model

    labels = torch.arange(200) % 10
    images = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + labels[:, None, None, None]
    model = create_model("cifar_resnet18", width=4, in_channels=1, seed=0)
    test = {"test_images": images[:50] + 0.1, "test_labels": labels[:50]}
    return {"model": model, "your_model": model, "train_images": images, "train_labels": labels, **test}


def readme_names() -> Names:
    """For exits, attention and difficulty; each of them names its own."""
    from shoal.studies.attention_inputs import draw_inputs

    q, k, v = (x.float() for x in draw_inputs("aniso", 2048, heads=1, dim=64, seed=3, purpose="readme"))
    exits = exits_names()
    grey = difficulty_names()
    return (
        grey | exits | {"q": q, "k": k, "v": v, "your_trained_model": exits["your_model"], "your_model": grey["model"]}
    )


def readme_check(names: Names, printed: str) -> None:
    """Each of the three says what the page says that it says."""
    exits_check(names, printed)
    assert names["out"].shape == names["v"].shape
    assert "take landmark with 64 features" in printed
    assert "probes that are right: input" in printed


def faces_check(names: Names, printed: str) -> None:
    """What every block prints is there, and the mined triplets are those of the loss."""
    for words in ("140,025,664", "VAL", "for a FAR of 0.1", "everybody: accuracy", "BCubed F", "v2/v1 − v1/v1"):
        assert words in printed
    assert len(names["triplets"]) == names["loss"].monitor.triplets > 0
    assert Path("faces.safetensors").exists()


def summarize_names() -> Names:
    """Made-up pairs of documents and summaries."""
    from benchmarks.places import pair

    pairs = [pair(number) for number in range(120)]
    documents, references = zip(*pairs[100:], strict=True)
    parts = {"train_pairs": pairs[:90], "validation_pairs": pairs[90:100]}
    return parts | {"documents": list(documents), "references": list(references)}


FEW_FACES = 'precision="fp32", identities=4, per_identity=3'
FEW_TEXTS = 'size="tiny", vocabulary=300, held_back=5, watched=10, precision="fp32"'
STAGES = {
    "README.md": Stage(names=readme_names, check=readme_check),
    "docs/exits.md": Stage(names=exits_names, check=heads_check),
    "docs/difficulty.md": Stage(
        names=difficulty_names, check=lambda names, printed: _holds(printed, "probes that are right: input")
    ),
    "docs/faces.md": Stage(
        small={
            "image_size=48": "image_size=32",
            "minutes=10": f"minutes=0, epochs=1, batch_size=16, {FEW_FACES}",
            "HarmonicConfig()": f"HarmonicConfig(layer_epochs=1, epochs=1, {FEW_FACES})",
            "groups, threshold": '["everybody"] * len(pairs), threshold',
        },
        check=faces_check,
    ),
    "docs/summarize.md": Stage(
        names=summarize_names,
        small={"SummarizerConfig(minutes=5)": f"SummarizerConfig(minutes=0, epochs=1, {FEW_TEXTS})"},
        check=lambda names, printed: _holds(printed, "ROUGE", "rouge1"),
    ),
    "docs/gallery.md": Stage(check=lambda names, printed: _holds(printed, "passed: new to old")),
    "docs/how-to/exits.md": Stage(
        small={"range(6)": "range(2)"}, check=lambda names, printed: _holds(printed, "images that left at each exit")
    ),
    "docs/how-to/attention.md": Stage(
        small={"torch.randn(1, 4, 512, 16)": "torch.randn(1, 4, 128, 16)"},
        check=lambda names, printed: _holds(printed, "layers.0.self_attn", "True"),
    ),
    "docs/how-to/circuits.md": Stage(
        small={"seeds=3": "seeds=1"}, check=lambda names, printed: _holds(printed, "same() & not_self()", "None")
    ),
    "docs/how-to/difficulty.md": Stage(
        small={"range(4)": "range(1)"}, check=lambda names, printed: _holds(printed, "of the 36 wrong labels")
    ),
    "docs/how-to/faces.md": Stage(
        small={"range(40)": "range(16)", "epochs=6": "epochs=1", "pairs=200": "pairs=50"},
        check=lambda names, printed: _holds(printed, "accuracy", "BCubed F"),
    ),
    "docs/how-to/gallery.md": Stage(
        small={"gallery upgrade": "gallery upgrade --force"},  # a network of one epoch may be refused
        check=lambda names, printed: _holds(printed, "0 traces found"),
    ),
    "docs/tutorial-gallery.md": Stage(),
    "docs/how-to/summarize.md": Stage(
        small={"epochs=6": "epochs=1", '"email", "logging", "unittest", "http", "xml"': '"email"', "=40": "=8"},
        check=lambda names, printed: _holds(printed, "rouge1"),
    ),
}


def _holds(printed: str, *words: str) -> None:
    assert any(word in printed for word in words), printed
