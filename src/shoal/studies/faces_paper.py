"""What the paper reports, to stand beside what a run measured.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet" (arXiv 1503.03832), tables 1 to 6 and section 5.
"""

# parameters and FLOPS of every row that has some, as printed
TABLE_1: dict[str, tuple[str, str]] = {
    "conv1": ("9K", "115M"),
    "conv2a": ("4K", "13M"),
    "conv2": ("111K", "335M"),
    "conv3a": ("37K", "29M"),
    "conv3": ("664K", "521M"),
    "conv4a": ("148K", "29M"),
    "conv4": ("885K", "173M"),
    "conv5a": ("66K", "13M"),
    "conv5": ("590K", "116M"),
    "conv6a": ("66K", "13M"),
    "conv6": ("590K", "116M"),
    "fc1": ("103M", "103M"),
    "fc2": ("34M", "34M"),
    "embedding": ("524K", "0.5M"),
}
TABLE_2: dict[str, tuple[str, str]] = {
    "conv1": ("9K", "119M"),
    "inception2": ("115K", "360M"),
    "inception3a": ("164K", "128M"),
    "inception3b": ("228K", "179M"),
    "inception3c": ("398K", "108M"),
    "inception4a": ("545K", "107M"),  # 545,536: the one that is cut and not rounded
    "inception4b": ("595K", "117M"),
    "inception4c": ("654K", "128M"),
    "inception4d": ("722K", "142M"),
    "inception4e": ("717K", "56M"),
    "inception5a": ("1.6M", "78M"),
    "inception5b": ("1.6M", "78M"),
    "embedding": ("131K", "0.1M"),
}
TABLES = {"nn1": TABLE_1, "nn2": TABLE_2}
TOTALS = {  # printed in the tables' last rows, and in the text for the others
    "nn1": ("140M", "1.6B"),
    "nn2": ("7.5M", "1.6B"),
    "nn4": ("6.6M", "285M"),
    "nns1": ("26M", "220M"),
    "nns2": ("4.3M", "20M"),
}

# VAL at a FAR of 1e-3, percent: value and standard error
BY_NETWORK = {
    "nn1": (87.9, 1.9),
    "nn2": (89.4, 1.6),
    "nn3": (88.3, 1.7),
    "nn4": (82.0, 2.3),
    "nns1": (82.4, 2.4),
    "nns2": (51.9, 2.9),
}
BY_QUALITY = {10: 67.3, 20: 81.4, 30: 83.9, 50: 85.5, 70: 86.1, 90: 86.5}  # JPEG
BY_PIXELS = {1_600: 37.8, 6_400: 79.5, 14_400: 84.5, 25_600: 85.7, 65_536: 86.4}
BY_DIM = {64: (86.8, 1.7), 128: (87.9, 1.9), 256: (87.7, 1.9), 512: (85.6, 2.0)}
BY_IMAGES = {2_600_000: 76.3, 26_000_000: 85.1, 52_000_000: 85.1, 260_000_000: 86.2}
LFW = (98.87, 0.15)  # accuracy, percent, of the centre crop
TRAINED_ON = "100 to 200 million thumbnails of about 8 million people"


def printed(count: int, like: str, *, cut: bool = False) -> str:
    """A count as the paper prints it.

    Args:
        count: parameters or multiply–adds.
        like: as printed, which tells the unit and the digits after the point.
        cut: whether digits are cut off and not rounded.

    Example:
        >>> printed(545_536, "545K"), printed(545_536, "545K", cut=True), printed(1_588_464, "1.6M")
        ('546K', '545K', '1.6M')
    """
    unit = {"K": 1e3, "M": 1e6, "B": 1e9}[like[-1]]
    digits = len(like[:-1].partition(".")[2])
    value = count / unit
    if cut:
        value = int(value * 10**digits) / 10**digits
    return f"{value:.{digits}f}{like[-1]}"


def matches(count: int, like: str) -> bool:
    """Whether a count is the one that is printed, rounded or cut.

    Example:
        >>> matches(545_536, "545K"), matches(545_536, "544K")
        (True, False)
    """
    return like in (printed(count, like), printed(count, like, cut=True))
