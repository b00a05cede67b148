"""What kinds of inputs, feature maps and what they are held against are called in tables and pictures."""

from shoal.studies.attention_measured import MapError

KIND_NAMES = {"aniso": "trained-like", "iso": "isotropic"}
MAP_NAMES = {
    "trig": "trig",
    "positive": "FAVOR+",
    "hyperbolic": "hyperbolic",
    "oprf": "OPRF",
    "sderf": "SDERF",
    "landmark": "landmark",
    "learned": "learned",
    "elu": "elu + 1",
    "relu": "relu",
    "taylor": "Taylor",
}
MEAN_VALUE, FLOOR = "mean(V)", "best of this rank"


def name_of(row: MapError) -> str:
    """A map's name for the reader, with what sets it apart."""
    name = MAP_NAMES.get(row.map, row.map)
    return name + ("" if row.orthogonal else ", independent") + (f", window {row.window}" if row.window else "")
