"""What the study of faces calls its networks, and what it compares with them."""

MAIN, RECIPE, CLASSIFIED = "network", "recipe", "classification"
OLD, NEW, HARMONIC = "old", "new", "harmonic"  # followed by the number of a pair of generations
MINED = ("semi-hard", "hardest", "random")
USUAL = MINED[0]  # what sizes of embeddings and of training sets, and seeds, are compared with
UNTRAINED, PIXELS, MIRRORED = "untrained", "pixels", "mirrored"  # what is no training of its own
UNALTERED = "unaltered"


def old_name(number: int) -> str:
    """The older network of a pair of generations."""
    return f"{OLD} {number + 1}"


def new_name(number: int) -> str:
    """The newer one."""
    return f"{NEW} {number + 1}"


def harmonic_name(number: int) -> str:
    """The newer one, made compatible."""
    return f"{HARMONIC} {number + 1}"


def dim_name(dim: int) -> str:
    """A network with another size of embedding."""
    return f"{dim} numbers"


def share_name(share: float) -> str:
    """A network that saw a part of the people.

    Example:
        >>> share_name(0.125)
        '12.5 % of the people'
    """
    return f"{100 * share:g} % of the people"


def part_of(name: str) -> str:
    """A name as files have it.

    Example:
        >>> part_of("12.5 % of the people")
        '12.5_percent_of_the_people'
    """
    return name.replace("%", "percent").replace(" ", "_")
