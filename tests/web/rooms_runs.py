"""Run folders that rooms open: real networks, trained for a moment on digits, kept by the studies' own code.

Whole studies take minutes; what they keep is compared with what they measured in their own tests.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import uvicorn

from shoal.engine import RunFolder, Silent
from shoal.exits import Margin, choose_policy, exit_outputs
from shoal.faces.saving import save_network
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.difficulty_config import resolve as resolve_difficulty
from shoal.studies.difficulty_data import read_images
from shoal.studies.difficulty_kept import keep_difficulty
from shoal.studies.difficulty_measured import Examples
from shoal.studies.difficulty_measurements import Probes, examples
from shoal.studies.difficulty_training import train_second
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.exits_config import resolve as resolve_exits
from shoal.studies.exits_data import read_data
from shoal.studies.exits_kept import keep_exits
from shoal.studies.exits_training import train_early
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.faces_config import resolve as resolve_faces
from shoal.studies.faces_data import read_faces
from shoal.studies.faces_kept import keep_faces
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measurements_groups import to_show
from shoal.studies.faces_names import MAIN
from shoal.studies.faces_training import Trainings
from shoal.studies.images import to_png
from shoal.studies.result import Picture, Result
from shoal.summarize import Summarizer
from shoal.web.app import create_app

SHARED: dict[str, Any] = {"data": "digits", "budget": "quick", "epochs": 1, "width": 4, "precision": "fp32"}
LAYERS = ("layer1", "layer2", "layer4")


def make_difficulty(root: Path) -> Path:
    """A network that has seen 300 digits once, 120 references, and 60 test images that were looked at."""
    rows = {"train_rows": 300, "references": 120, "test_rows": 60, "altered_rows": 10}
    config = resolve_difficulty(DifficultyConfig(k=10, layers=LAYERS, **rows, **SHARED))
    images, folder = read_images(config), root / "difficulty"
    with RunFolder(folder, {"study": "difficulty"}) as run:
        trained = train_second(config, images, "fp32", run, Silent())
        probes = Probes(config, images, list(LAYERS), trained.model, trained.precision)
        test = Examples(**examples(probes.depth(probes.features(images.splits.test))))
        keep_difficulty(run, trained.model, list(LAYERS), config, images, test)
    save_result(folder, "difficulty", "digits")
    return folder


def make_exits(root: Path) -> Path:
    """A network with two exits that has seen the digits once."""
    config = resolve_exits(ExitsConfig(at=LAYERS[:2], **SHARED))
    splits, _ = read_data(config)
    folder = root / "exits"
    with RunFolder(folder, {"study": "exits"}) as run:
        net, _ = train_early(config, splits, "fp32", run, Silent())
        seen, outputs = (
            exit_outputs(net, part.pair, prepare=splits.normalise) for part in (splits.validation, splits.test)
        )
        policy = choose_policy(seen, Margin, max_accuracy_drop=0.05)
        keep_exits(run, net, splits, policy, outputs)
    save_result(folder, "exits", "digits")
    return folder


def make_faces(root: Path) -> Path:
    """A network that has hardly begun to learn, on digits in place of faces."""
    usual = FacesStudyConfig(data="digits", budget="quick", epochs=1, image_size=16, embedding_dim=16, precision="fp32")
    config = resolve_faces(usual)
    faces, folder = read_faces(config), root / "faces"
    with RunFolder(folder, {"study": "faces"}) as run:
        trainings = Trainings(config, faces, run, Silent())
        save_network(trainings.fresh(), folder / "networks" / f"{MAIN}.safetensors", {"rows": []})
        look = Looking(config, faces, trainings)
        keep_faces(run, look)
    shown = to_show(look.test[look.grouped.rows], look.grouped, 0.5)
    rows = tuple(
        {"image": to_png(faces.test.images[row]), "caption": "✓", "group": f"cluster {number + 1}"}
        for number, own in enumerate(shown.rows)
        for row in own
    )
    clusters = Picture(id="clusters", title="The largest clusters", kind="gallery", rows=rows, note="Some of them.")
    save_result(folder, "faces", "digits", clusters)
    return folder


def make_summarize(root: Path, summarizer: Summarizer, texts: list[tuple[str, str]]) -> Path:
    """A saved summarizer, and the texts of a test part."""
    folder = root / "summarize"
    summarizer.save_pretrained(folder / "model")
    rows = tuple({"text": text, "said": (("by people", summary), ("greedy", ""))} for text, summary in texts)
    save_result(folder, "summarize", "made-up", Picture(id="examples", title="Some", kind="passages", rows=rows))
    return folder


def save_result(folder: Path, study: str, data: str, *pictures: Picture) -> None:
    """What makes a folder a finished run."""
    found = Result(study=study, title=study, summary=(), command="", data={"name": data}, pictures=pictures)
    found.save(folder / "result.json")


@contextlib.contextmanager
def served(runs: Path) -> Iterator[str]:
    """A server in a thread of this process, and its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(runs), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def picture_file(shape: tuple[int, int] = (60, 40), kind: str = "PNG") -> bytes:
    """An image file of noise."""
    import io

    from PIL import Image

    pixels = torch.randint(256, (*shape, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, kind)
    return file.getvalue()
