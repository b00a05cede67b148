"""The early-exit study around its trainings: what it takes for data, how it names a run, what it shows."""

import base64
import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from shoal.errors import InputError
from shoal.nets.whitening import Whitening
from shoal.studies.exits import ExitsStudy
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_data import read_data
from shoal.studies.exits_training import augmentation, create_backbone, fit_config
from shoal.studies.images import THUMBNAIL, to_png
from tests.data.helpers import idx_contents, write_idx
from tests.data.test_data_folders import fill

DIGITS = ExitsConfig(data="digits", budget="quick", width=4)


def photos(folder: Path, *, size: int = 40, counts: int = 20) -> Path:
    return fill(folder, {"cat": counts, "dog": counts}, size=(size, size))


def test_a_run_is_named_by_what_its_result_depends_on(tmp_path: Path) -> None:
    names = {
        change: ExitsStudy(ExitsConfig(**{**vars(DIGITS), **settings})).run_name
        for change, settings in {
            "none": {},
            "offline": {"offline": True},
            "seed": {"seed": 1},
            "width": {"width": 8},
        }.items()
    }
    assert names["none"] == names["offline"]
    assert len(set(names.values())) == 3
    assert names["none"].startswith("exits-quick-digits-")
    moved = [ExitsStudy(ExitsConfig(data=str(photos(tmp_path / place / "pets")), width=4)) for place in "ab"]
    assert moved[0].run_name == moved[1].run_name  # the same images, wherever they lie


def test_a_folders_own_validation_images_are_used(tmp_path: Path) -> None:
    for part, count in (("train", 30), ("validation", 9), ("test", 12)):
        photos(tmp_path / part, counts=count)
    splits, about = read_data(resolve(ExitsConfig(data=str(tmp_path))))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [60, 18, 24]
    assert splits.shape == (3, 32, 32)
    assert about["name_or_path"] == str(tmp_path)
    drawn, _ = read_data(resolve(ExitsConfig(data=str(tmp_path / "train"), image_size=16)))
    assert drawn.shape == (3, 16, 16)
    assert len(drawn.validation) == 5  # a tenth of what the test rows left


@pytest.mark.parametrize(
    ("make", "flips"),
    [
        (lambda folder: "digits", "none"),
        (lambda folder: str(photos(folder / "mnist")), "alternating"),  # photographs, whatever the folder's name
        (lambda folder: str(write_idx(folder / "letters", idx_contents())), "none"),
    ],
)
def test_what_may_be_mirrored(tmp_path: Path, make, flips: str) -> None:
    config = resolve(ExitsConfig(data=make(tmp_path)))
    splits, _ = read_data(config)
    assert augmentation(config, splits).flip == flips
    asked = resolve(ExitsConfig(data=config.data, flip="random"))
    assert augmentation(asked, splits).flip == "random"


def test_the_computed_layer_is_fitted_to_the_training_images() -> None:
    config = resolve(DIGITS)
    splits, _ = read_data(config)
    layer = create_backbone(config, splits).get_submodule("whiten")
    assert isinstance(layer, Whitening)
    again = Whitening(1).fit(splits.normalise(splits.train.images))
    assert torch.equal(layer.weight, again.weight)
    assert "whiten" not in dict(create_backbone(resolve(ExitsConfig(whitened=False, width=4)), splits).named_modules())


def test_time_is_given_in_minutes_or_in_epochs() -> None:
    assert (resolve(DIGITS).minutes, resolve(DIGITS).epochs) == (0.4, 0.0)
    by_epochs = fit_config(resolve(ExitsConfig(epochs=3)), "fp32")
    assert (by_epochs.minutes, by_epochs.epochs) == (0.0, 3)
    with pytest.raises(InputError, match="minutes or epochs"):
        resolve(ExitsConfig(epochs=3, minutes=1))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 224, 180)])
def test_thumbnails_are_small_and_small_images_are_whole(shape: tuple[int, int, int]) -> None:
    image = torch.randint(256, shape, dtype=torch.uint8)
    shown = Image.open(io.BytesIO(base64.b64decode(to_png(image))))
    assert max(shown.size) <= THUMBNAIL
    if max(shape) <= THUMBNAIL:
        assert shown.size == (shape[2], shape[1])
        assert shown.getpixel((0, 0)) in (int(image[0, 0, 0]), tuple(image[:, 0, 0].tolist()))
