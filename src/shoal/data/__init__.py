"""Data sets of images: find, verify, read, fetch, split, augment.

    from shoal.data import load

    splits = load("cifar10", validation=5_000)     # or "fashion-mnist", "mnist", "digits", or a folder
    images, labels = splits.train.pair             # uint8 [n, c, h, w], int64 [n]
    x = splits.normalise(images[:64])              # float32, mean 0 and std 1 per channel

Rooms within: `specs` (what is known about each set), `cifar`, `idx`, `digits`, `folders` and `pictures`
(readers), `sets` and `splits` (what they return), `find`, `fetch`, `download` and `verify` (files on this
machine and elsewhere), `normalise` and `augment` (batches), `load` and `describe` (all of it together).
"""

from shoal.data.augment import FlipCrop, alternating_flip, cutout, random_crop, random_flip
from shoal.data.describe import DataRow, describe_all
from shoal.data.fetch import cache_folder, fetch
from shoal.data.find import Place, locate
from shoal.data.load import Choice, find_best, load
from shoal.data.normalise import Normalise, channel_statistics
from shoal.data.sets import ImageSet, ImageSplits
from shoal.data.specs import DataSpec, find_spec, list_datasets
from shoal.data.splits import PublishedSet, stratified_sample
from shoal.data.verify import FileCheck, verify

__all__ = [
    "Choice",
    "DataRow",
    "DataSpec",
    "FileCheck",
    "FlipCrop",
    "ImageSet",
    "ImageSplits",
    "Normalise",
    "Place",
    "PublishedSet",
    "alternating_flip",
    "cache_folder",
    "channel_statistics",
    "cutout",
    "describe_all",
    "fetch",
    "find_best",
    "find_spec",
    "list_datasets",
    "load",
    "locate",
    "random_crop",
    "random_flip",
    "stratified_sample",
    "verify",
]
