"""What is known about each named data set: its files, their checksums, where the authors keep it, its terms.

Everything else in this room reads these tables; a fact about a data set is written down here only.
The registry has four names: "cifar10", "mnist", "fashion-mnist" and "digits".

    spec = find_spec("CIFAR-10")
    spec.classes[3], spec.files[0].name, spec.terms
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shoal.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """A digest that a file, or what is inside of it, must have.

    Attributes:
        algorithm: "md5", "sha1" or "sha256", as hashlib spells it.
        digest: lower-case hexadecimal.
    """

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest}"


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file as the authors publish it: where, how many bytes, and its published checksum."""

    url: str
    size: int
    checksum: Checksum

    @property
    def name(self) -> str:
        """The file's name, the last part of its address."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a data set as it lies on disk: its name, and size and checksum of its content.

    The content is what is left after gunzip, so that a compressed, an unpacked and a re-compressed copy are
    all recognised.
    """

    name: str
    size: int
    checksum: Checksum


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """A named data set.

    Attributes:
        name: how Shoal calls it.
        title: how people call it.
        kind: the file format, which picks the reader.
        folder: the sub-folder that it has in the cache and in a data folder.
        other_folders: further places where tools put it, relative to a data folder.
        files: what must lie in the folder.
        downloads: what the authors publish; empty where nothing needs fetching.
        classes: name of each label.
        shape: (channels, height, width).
        train, test: numbers of rows; test is 0 where the authors set no test rows apart.
        terms: licence or terms in a few words.
        source: whom to cite.
        mirrors: whether an image turned left to right is another image of its class; a digit is not.
        debian_package: a Debian package with the same content, or "".
        debian_folder: where that package puts it.
    """

    name: str
    title: str
    kind: Literal["cifar", "idx", "digits"]
    folder: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: int
    test: int
    terms: str
    source: str
    files: tuple[DataFile, ...] = ()
    downloads: tuple[Download, ...] = ()
    other_folders: tuple[str, ...] = ()
    mirrors: bool = False
    debian_package: str = ""
    debian_folder: Path | None = None

    @property
    def download_size(self) -> int:
        """Bytes that a fetch transfers."""
        return sum(download.size for download in self.downloads)


_CIFAR10_SHA1 = {
    "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
}

CIFAR10 = DataSpec(
    name="cifar10",
    title="CIFAR-10",
    kind="cifar",
    folder="cifar-10-batches-bin",
    files=tuple(
        DataFile(name=name, size=30_730_000, checksum=Checksum(algorithm="sha1", digest=digest))
        for name, digest in _CIFAR10_SHA1.items()
    ),
    downloads=(
        Download(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            size=170_052_171,
            checksum=Checksum(algorithm="md5", digest="c32a1d4ab5d03f1284b67883e8d87530"),
        ),
    ),
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    shape=(3, 32, 32),
    mirrors=True,
    train=50_000,
    test=10_000,
    terms="no licence stated; cite the source",
    source="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
)

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_IDX_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)


def _idx_files(content_sha256: tuple[str, ...]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(name=name, size=size, checksum=Checksum(algorithm="sha256", digest=digest))
        for name, size, digest in zip(IDX_NAMES, _IDX_SIZES, content_sha256, strict=True)
    )


def _idx_downloads(address: str, published: tuple[tuple[int, str], ...]) -> tuple[Download, ...]:
    return tuple(
        Download(url=f"{address}/{name}.gz", size=size, checksum=Checksum(algorithm="md5", digest=digest))
        for name, (size, digest) in zip(IDX_NAMES, published, strict=True)
    )


# The authors publish MD5 sums of the .gz files. Debian compressed the same content again (the deflate streams
# are equal, the gzip headers are not: with the authors' file name and time put back, the MD5 sums are theirs),
# so that files on disk are checked by the SHA-256 of what is inside.
FASHION_MNIST = DataSpec(
    name="fashion-mnist",
    title="Fashion-MNIST",
    kind="idx",
    folder="fashion-mnist",
    other_folders=("FashionMNIST/raw",),
    files=_idx_files(
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        )
    ),
    downloads=_idx_downloads(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        (
            (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
    ),
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    shape=(1, 28, 28),
    mirrors=True,
    train=60_000,
    test=10_000,
    terms="MIT",
    source="Xiao, Rasul & Vollgraf 2017 (arXiv 1708.07747)",
    debian_package="dataset-fashion-mnist",
    debian_folder=Path("/usr/share/datasets/fashion-mnist"),
)

MNIST = DataSpec(
    name="mnist",
    title="MNIST",
    kind="idx",
    folder="mnist",
    other_folders=("MNIST/raw",),
    files=_idx_files(
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        )
    ),
    downloads=_idx_downloads(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        (
            (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
    classes=tuple("0123456789"),
    shape=(1, 28, 28),
    train=60_000,
    test=10_000,
    terms="CC BY-SA 3.0, as Keras states it; cite the source",
    source="LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document Recognition",
)

DIGITS = DataSpec(
    name="digits",
    title="scikit-learn's digits",
    kind="digits",
    folder="",
    classes=tuple("0123456789"),
    shape=(1, 8, 8),
    train=1_797,
    test=0,
    terms="CC BY 4.0; comes with scikit-learn",
    source="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (UCI)",
)

SPECS = {spec.name: spec for spec in (CIFAR10, FASHION_MNIST, MNIST, DIGITS)}


def list_datasets() -> tuple[str, ...]:
    """The names that `load`, `fetch` and `verify` know, the one that tells most about a network first.

    Example:
        >>> list_datasets()
        ('cifar10', 'fashion-mnist', 'mnist', 'digits')
    """
    return tuple(SPECS)


def find_spec(name: str) -> DataSpec:
    """Look a data set up; case, spaces, dashes and underscores do not matter.

    Args:
        name: for example "cifar10" or "Fashion_MNIST".

    Returns:
        What is known about it.

    Raises:
        InputError: if there is no such data set; the message names the nearest one.

    Example:
        >>> find_spec("CIFAR-10").name
        'cifar10'
    """
    if spec := match_spec(name):
        return spec
    raise unknown_name("data set", name, SPECS)


def match_spec(name: str) -> DataSpec | None:
    """The data set of this name, or None; see `find_spec`."""
    plain = re.sub(r"[\s_-]", "", name.lower())
    return next((spec for spec in SPECS.values() if spec.name.replace("-", "") == plain), None)
