"""ImageSet, ImageSplits, splitting, normalising."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.data import ImageSet, Normalise, PublishedSet, channel_statistics, stratified_sample
from shoal.errors import InputError


def toy(counts: list[int], *, channels: int = 1, side: int = 4, files: bool = False) -> ImageSet:
    """Classes interleaved by a fixed shuffle; each image tells its row number in its first pixels."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]
    images = torch.randint(0, 256, (len(labels), channels, side, side), dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(len(labels)) % 256
    return ImageSet(
        name="toy",
        images=images,
        labels=labels,
        classes=tuple(f"class {c}" for c in range(len(counts))),
        source="made up",
        files=tuple(f"{i}.png" for i in range(len(labels))) if files else (),
    )


def rows(*parts: ImageSet) -> list[int]:
    return sorted(row for part in parts for row in part.rows.tolist())


class TestImageSet:
    def test_take_keeps_everything_together(self):
        data = toy([10, 7], files=True)
        taken = data.take(torch.tensor([3, 0, 16]))
        assert taken.rows.tolist() == [3, 0, 16]
        assert taken.images[:, 0, 0, 0].tolist() == [3, 0, 16]
        assert taken.labels.tolist() == data.labels[[3, 0, 16]].tolist()
        assert taken.files == ("3.png", "0.png", "16.png")
        assert taken.take(torch.tensor([2])).rows.tolist() == [16]

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"images": torch.zeros(3, 1, 4, 4)}, "images: expected uint8"),
            ({"images": torch.zeros(3, 4, 4, dtype=torch.uint8)}, "images: expected uint8"),
            ({"labels": torch.zeros(2, dtype=torch.int64)}, r"labels: expected int64 \[3\]"),
            ({"labels": torch.tensor([0, 1, 2])}, "labels: expected 0 to 1"),
            ({"labels": torch.tensor([0, 1, -1])}, "labels: expected 0 to 1"),
            ({"files": ("a.png",)}, "files: expected one of each of 3 images, got 1"),
        ],
    )
    def test_parts_that_do_not_fit_are_refused(self, change: dict, complaint: str):
        good = {
            "name": "toy",
            "images": torch.zeros(3, 1, 4, 4, dtype=torch.uint8),
            "labels": torch.tensor([0, 1, 1]),
            "classes": ("a", "b"),
            "source": "made up",
        }
        ImageSet(**good)
        with pytest.raises(InputError, match=complaint):
            ImageSet(**{**good, **change})

    def test_resizing_scales_the_shorter_side_and_keeps_the_centre(self):
        images = torch.zeros(1, 1, 8, 16, dtype=torch.uint8)
        images[..., 4:12] = 200  # the central square, the rest is cut off
        wide = ImageSet(name="w", images=images, labels=torch.tensor([0]), classes=("a", "b"), source="")
        small = wide.resized(2).images
        assert small.shape == (1, 1, 2, 2)
        assert int(small.min()) > 150
        assert torch.equal(wide.resized(8).images, images[..., 4:12])


class TestSplit:
    @given(
        counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
        validation=st.one_of(st.floats(0, 0.3), st.integers(0, 1)),
        test=st.floats(0, 0.4),
        seed=st.integers(-5, 2**40),
    )
    def test_parts_are_disjoint_complete_and_stratified(self, counts, validation, test, seed):
        data = toy(counts)
        splits = PublishedSet(train=data).split(validation=validation, test=test, seed=seed)
        parts = (splits.train, splits.validation, splits.test)
        assert rows(*parts) == list(range(len(data)))
        assert all(torch.equal(part.labels, data.labels[part.rows]) for part in parts)
        assert min(splits.train.counts) >= 1
        for part, share in ((splits.test, test), (splits.validation, 0.0)):
            if share:
                asked = max(round(share * len(data)), len(counts))
                assert abs(len(part) - asked) <= 0 or len(part) == len(data) - len(counts)
                assert min(part.counts) >= 1

    def test_a_number_of_rows_is_met_exactly_and_shared_in_proportion(self):
        splits = PublishedSet(train=toy([100, 50, 10])).split(validation=32, test=16, seed=3)
        assert splits.test.counts == (10, 5, 1)
        assert splits.validation.counts == (20, 10, 2)

    def test_the_same_seed_draws_the_same_rows_and_another_draws_others(self):
        data = PublishedSet(train=toy([60, 60]))
        first, again, other = (rows(data.split(seed=seed).test) for seed in (1, 1, 2))
        assert first == again != other

    def test_test_rows_do_not_depend_on_what_else_is_asked_for(self):
        data = PublishedSet(train=toy([60, 60]))
        plain = data.split(seed=1)
        assert rows(data.split(seed=1, validation=0, train_rows=10).test) == rows(plain.test)
        assert set(rows(data.split(seed=1, train_rows=10).train)) <= set(rows(plain.train))

    def test_no_validation_trains_on_all_rows(self):
        data = PublishedSet(train=toy([9, 9]), test=toy([3, 3]))
        splits = data.split(validation=0)
        assert len(splits.validation) == 0
        assert splits.validation.shape == (1, 4, 4)
        assert rows(splits.train) == list(range(18))

    def test_published_parts_are_kept_unless_a_size_is_asked_for(self):
        data = PublishedSet(train=toy([20, 20], files=True), validation=toy([5, 5], files=True), test=toy([4, 4]))
        own = data.split()
        assert (len(own.train), len(own.validation), len(own.test)) == (40, 10, 8)
        drawn = data.split(validation=10)
        assert rows(drawn.train, drawn.validation) == list(range(50))  # both pooled, then drawn
        assert len(drawn.train.files) == 40
        assert drawn.test is data.test

    def test_constants_come_from_the_training_rows_only(self):
        train = toy([30, 30], channels=3)
        bright = toy([5, 5], channels=3)
        bright.images[:] = 255
        splits = PublishedSet(train=train, test=bright, validation=bright).split()
        x = train.images.double() / 255
        torch.testing.assert_close(torch.tensor(splits.mean).double(), x.mean((0, 2, 3)))
        torch.testing.assert_close(torch.tensor(splits.std).double(), x.std((0, 2, 3), correction=0))
        whitened = splits.normalise(train.images)
        torch.testing.assert_close(whitened.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("size", [True, -1, 1.0, 1.5, -0.1, 59, float("nan")])
    def test_sizes_that_do_not_fit_are_refused(self, size):
        with pytest.raises(InputError, match="validation size: expected"):
            PublishedSet(train=toy([30, 30]), test=toy([3, 3])).split(validation=size)

    def test_a_class_with_one_image_goes_to_training(self):
        splits = PublishedSet(train=toy([20, 1])).split(validation=0.1, test=0.2)
        assert splits.train.counts[1] == 1

    def test_splits_speak_for_themselves(self):
        splits = PublishedSet(train=toy([30, 30]), test=toy([3, 3])).split(validation=6)
        assert str(splits) == "toy: 54 + 6 + 6 images 4×4×1 in 2 classes"
        assert "<td>54</td>" in splits._repr_html_()


class TestSample:
    @given(counts=st.lists(st.integers(1, 30), min_size=2, max_size=6), data=st.data())
    def test_every_class_gets_its_share_to_within_a_row(self, counts, data):
        amount = data.draw(st.integers(1, sum(counts)))
        drawn = stratified_sample(toy(counts), amount, seed=7)
        assert len(drawn) == len(set(drawn.rows.tolist())) == amount
        assert drawn.rows.tolist() == sorted(drawn.rows.tolist())
        quota = [amount * n / sum(counts) for n in counts]
        if amount >= len(counts):
            assert min(drawn.counts) >= 1
        starved = sum(1 for q in quota if q < 1)  # rows given to them are taken from others
        assert all(abs(n - q) <= 1 + starved for n, q in zip(drawn.counts, quota, strict=True))

    @pytest.mark.parametrize("amount", [0, -1, 61, True])
    def test_more_rows_than_there_are_are_refused(self, amount):
        with pytest.raises(InputError, match="training rows: expected 1 to 60"):
            stratified_sample(toy([30, 30]), amount)


class TestNormalise:
    def test_it_is_the_formula(self):
        images = toy([8, 8], channels=3).images
        normalise = Normalise((0.1, 0.5, 0.9), (0.2, 0.3, 0.4))
        for channel, (mean, std) in enumerate(zip(normalise.mean, normalise.std, strict=True)):
            expected = ((images[:, channel].double() / 255 - mean) / std).float()
            torch.testing.assert_close(normalise(images)[:, channel], expected)

    def test_it_leaves_the_images_alone_and_keeps_the_memory_format(self):
        images = toy([8, 8], channels=3).images.to(memory_format=torch.channels_last)
        before = images.clone()
        out = Normalise((0.5,) * 3, (0.5,) * 3)(images)
        assert torch.equal(images, before)
        assert out.is_contiguous(memory_format=torch.channels_last)

    def test_statistics_do_not_depend_on_the_chunk(self):
        images = toy([30, 30], channels=3).images
        assert channel_statistics(images, chunk=7) == channel_statistics(images)

    def test_a_constant_channel_can_be_divided_by(self):
        assert channel_statistics(torch.full((2, 1, 3, 3), 255, dtype=torch.uint8)) == ((1.0,), (1.0,))

    @pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.0,)), ((0.5, 0.5), (1.0,)), ((0.5,), (-1.0,))])
    def test_constants_that_cannot_be_are_refused(self, mean, std):
        with pytest.raises(InputError, match="normalisation: expected one std above 0"):
            Normalise(mean, std)

    def test_other_channels_and_no_images_are_refused(self):
        with pytest.raises(InputError, match="expected 3 channels, got 1"):
            Normalise((0.5,) * 3, (0.5,) * 3)(toy([2, 2]).images)
        with pytest.raises(InputError, match="expected at least one"):
            channel_statistics(torch.empty(0, 3, 4, 4, dtype=torch.uint8))
