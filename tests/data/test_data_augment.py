"""Each augmentation against a loop over images that does the obvious; seeds; dtypes; fairness."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.data import FlipCrop, alternating_flip, cutout, random_crop, random_flip
from shoal.data.augment import coin
from shoal.errors import InputError

DTYPES = (torch.uint8, torch.float32, torch.float64, torch.bfloat16, torch.int64)
dtypes = st.sampled_from(DTYPES)
shapes = st.tuples(st.integers(0, 7), st.integers(1, 3), st.integers(2, 9), st.integers(2, 9))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 1) -> Tensor:
    return torch.randint(1, 256, shape, generator=generator(seed)).to(dtype)


def stacked(images: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(images) if images else like.clone()


@given(shapes, dtypes, st.integers(0, 99))
def test_random_flip_mirrors_those_whose_number_is_low(shape, dtype, seed):
    images = batch(shape, dtype)
    chosen = torch.rand(len(images), generator=generator(seed)) < 0.3
    expected = [torch.from_numpy(np.ascontiguousarray(image.double().numpy()[:, :, ::-1])).to(dtype) if yes else image
                for image, yes in zip(images, chosen, strict=True)]  # fmt: skip
    out = random_flip(images, generator=generator(seed), probability=0.3)
    assert out.dtype == dtype
    assert torch.equal(out, stacked(expected, images))


@given(shapes, dtypes, st.integers(0, 4), st.sampled_from(["reflect", "zero"]), st.integers(0, 99))
def test_random_crop_is_a_window_of_the_padded_image(shape, dtype, padding, mode, seed):
    images = batch(shape, dtype)
    b, _, h, w = shape
    padding = min(padding, h - 1, w - 1) if mode == "reflect" else padding
    top, left = torch.randint(2 * padding + 1, (2, b), generator=generator(seed)).tolist()
    expected = []
    for image, y, x in zip(images, top, left, strict=True):
        sides = ((0, 0), (padding, padding), (padding, padding))
        padded = np.pad(image.double().numpy(), sides, mode="reflect" if mode == "reflect" else "constant")
        expected.append(torch.from_numpy(padded[:, y : y + h, x : x + w].copy()).to(dtype))
    out = random_crop(images, padding=padding, generator=generator(seed), mode=mode)
    assert out.dtype == dtype
    assert torch.equal(out, stacked(expected, images))


@given(shapes, dtypes, st.integers(0, 12), st.sampled_from([0, 7]), st.integers(0, 99))
def test_cutout_blanks_a_square_that_may_hang_over(shape, dtype, size, fill, seed):
    images = batch(shape, dtype)
    b, _, h, w = shape
    draw = generator(seed)
    rows = torch.randint(h, (b, 1), generator=draw).flatten().tolist()
    columns = torch.randint(w, (b, 1), generator=draw).flatten().tolist()
    expected = images.clone()
    for image, y, x in zip(expected, rows, columns, strict=True):
        for i in range(h):
            for j in range(w):
                if 0 <= i - y + size // 2 < size and 0 <= j - x + size // 2 < size:
                    image[:, i, j] = fill
    out = cutout(images, size=size, generator=generator(seed), fill=fill)
    assert out.dtype == dtype
    assert torch.equal(out, expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_inputs_stay_as_they_were_in_any_memory_format(memory_format):
    plain = batch((6, 3, 8, 8), torch.float32)
    images = plain.to(memory_format=memory_format)
    augment = FlipCrop(flip="random", padding=2, cutout=3)
    out, other = (augment(x, index=torch.arange(6), epoch=0, generator=generator(3)) for x in (images, plain))
    assert torch.equal(images, plain)
    assert torch.equal(out, other)
    assert not torch.equal(out, plain)


class TestAlternatingFlip:
    images = torch.arange(200 * 2).view(200, 1, 1, 2)
    index = torch.arange(1000, 1200)

    def mirrored(self, epoch: int, seed: int = 0, index: Tensor | None = None) -> Tensor:
        index = self.index if index is None else index
        out = alternating_flip(self.images[: len(index)], index=index, epoch=epoch, seed=seed)
        return (out != self.images[: len(index)]).flatten(1).all(1)

    def test_every_image_alternates_from_epoch_to_epoch(self):
        first = self.mirrored(0)
        for epoch in range(1, 6):
            assert torch.equal(self.mirrored(epoch), first ^ bool(epoch % 2))

    def test_it_depends_on_the_image_and_not_on_its_place_in_the_batch(self):
        order = torch.randperm(200, generator=generator())
        assert torch.equal(self.mirrored(0, index=self.index[order]), self.mirrored(0)[order])

    def test_seeds_flip_other_images(self):
        assert not torch.equal(self.mirrored(0, seed=0), self.mirrored(0, seed=1))

    @pytest.mark.parametrize("seed", [0, 1, 12345, -3, 2**40])
    def test_coins_are_fair_and_independent(self, seed):
        n = 20_000
        numbers = torch.arange(n)
        mine, others = coin(numbers, seed), coin(numbers, seed + 1)
        for share in (mine, mine ^ others, mine[1:] ^ mine[:-1], mine[::2], mine[1::2]):
            assert abs(float(share.double().mean()) - 0.5) < 4 * 0.5 / len(share) ** 0.5  # four standard errors


def test_the_same_generator_gives_the_same_images():
    images, augment = batch((8, 3, 16, 16), torch.uint8), FlipCrop(cutout=4)
    first, again, other = (
        augment(images, index=torch.arange(8), epoch=0, generator=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_everything_switched_off_changes_nothing():
    images = batch((4, 3, 8, 8), torch.uint8)
    out = FlipCrop(flip="none", padding=0)(images, index=torch.arange(4), epoch=1, generator=generator())
    assert out is images


def test_gradients_pass_through_a_crop():
    images = torch.rand(3, 2, 6, 6, requires_grad=True, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: random_crop(x, padding=2, generator=generator()), images)


@pytest.mark.parametrize(("padding", "mode"), [(8, "reflect"), (-1, "reflect"), (-1, "zero")])
def test_a_padding_that_does_not_fit_is_refused(padding, mode):
    with pytest.raises(InputError, match="padding: expected"):
        random_crop(batch((2, 1, 8, 8), torch.uint8), padding=padding, generator=generator(), mode=mode)


def test_a_negative_cutout_is_refused():
    with pytest.raises(InputError, match="cutout size: expected at least 0"):
        cutout(batch((2, 1, 8, 8), torch.uint8), size=-1, generator=generator())
