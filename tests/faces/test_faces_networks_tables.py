"""The paper's tables 1 and 2, row by row, and what all networks cost."""

import re
from pathlib import Path

import pytest
import torch
from benchmarks.faces_tables import networks_table

from shoal.errors import InputError
from shoal.faces.arithmetic import LayerTable, count_flops, layer_table
from shoal.faces.comparing_networks import NetworkTable, compare_networks
from shoal.faces.networks import create_network, list_networks
from shoal.measure import count_macs, count_parameters

# Schroff et al. 2015 (arXiv 1503.03832), tables 1 and 2: the output's height, width and channels; parameters, in full
# and as printed; millions of FLOPS, with a decimal and as printed.
TABLE_1 = {
    "conv1": ((110, 110, 64), 9_472, "9K", 114.6, "115M"),
    "pool1": ((55, 55, 64), 0, "0", 0, ""),
    "norm1": ((55, 55, 64), 0, "0", 0, ""),
    "conv2a": ((55, 55, 64), 4_160, "4K", 12.6, "13M"),
    "conv2": ((55, 55, 192), 110_784, "111K", 335.1, "335M"),
    "norm2": ((55, 55, 192), 0, "0", 0, ""),
    "pool2": ((28, 28, 192), 0, "0", 0, ""),
    "conv3a": ((28, 28, 192), 37_056, "37K", 29.1, "29M"),
    "conv3": ((28, 28, 384), 663_936, "664K", 520.5, "521M"),
    "pool3": ((14, 14, 384), 0, "0", 0, ""),
    "conv4a": ((14, 14, 384), 147_840, "148K", 29.0, "29M"),
    "conv4": ((14, 14, 256), 884_992, "885K", 173.5, "173M"),
    "conv5a": ((14, 14, 256), 65_792, "66K", 12.9, "13M"),
    "conv5": ((14, 14, 256), 590_080, "590K", 115.7, "116M"),
    "conv6a": ((14, 14, 256), 65_792, "66K", 12.9, "13M"),
    "conv6": ((14, 14, 256), 590_080, "590K", 115.7, "116M"),
    "pool4": ((7, 7, 256), 0, "0", 0, ""),
    "fc1": ((4096,), 102_768_640, "103M", 102.8, "103M"),
    "fc2": ((4096,), 33_562_624, "34M", 33.6, "34M"),
    "embedding": ((128,), 524_416, "524K", 0.5, "0.5M"),
}
TABLE_2 = {
    "conv1": ((112, 112, 64), 9_472, "9K", 118.8, "119M"),
    "pool1": ((56, 56, 64), 0, "0", 0, ""),
    "norm1": ((56, 56, 64), 0, "0", 0, ""),
    "inception2": ((56, 56, 192), 114_944, "115K", 360.5, "360M"),
    "norm2": ((56, 56, 192), 0, "0", 0, ""),
    "pool2": ((28, 28, 192), 0, "0", 0, ""),
    "inception3a": ((28, 28, 256), 163_696, "164K", 128.3, "128M"),
    "inception3b": ((28, 28, 320), 227_776, "228K", 178.6, "179M"),
    "inception3c": ((14, 14, 640), 397_792, "398K", 108.2, "108M"),
    "inception4a": ((14, 14, 640), 545_536, "545K", 106.9, "107M"),  # the one that is cut and not rounded
    "inception4b": ((14, 14, 640), 595_216, "595K", 116.7, "117M"),
    "inception4c": ((14, 14, 640), 654_112, "654K", 128.2, "128M"),
    "inception4d": ((14, 14, 640), 722_224, "722K", 141.6, "142M"),
    "inception4e": ((7, 7, 1024), 717_408, "717K", 56.3, "56M"),
    "inception5a": ((7, 7, 1024), 1_588_464, "1.6M", 77.8, "78M"),
    "inception5b": ((7, 7, 1024), 1_588_464, "1.6M", 77.8, "78M"),
    "pool5": ((1024,), 0, "0", 0, ""),
    "embedding": ((128,), 131_200, "131K", 0.13, "0.1M"),
}
TABLES = {"nn1": TABLE_1, "nn2": TABLE_2}


@pytest.fixture(scope="module")
def everything() -> NetworkTable:
    return compare_networks()


def table_of(name: str, **settings: object) -> LayerTable:
    with torch.device("meta"):
        return layer_table(create_network(name, **settings))  # pyright: ignore[reportArgumentType]


def printed(count: int, like: str) -> str:
    """A count as the paper prints it: in K or M, with as many decimals as `like` has."""
    unit = {"K": 1e3, "M": 1e6}[like[-1]]
    return f"{count / unit:.{len(like.partition('.')[2]) - ('.' in like)}f}{like[-1]}"


def test_the_paper_has_27_rows_with_parameters() -> None:
    assert sum(row[1] > 0 for table in TABLES.values() for row in table.values()) == 27


@pytest.mark.parametrize("name", TABLES)
def test_every_row_of_the_paper(name: str) -> None:
    table = table_of(name)
    assert [row.name for row in table.rows] == list(TABLES[name])
    for row in table.rows:
        size, parameters, shown_parameters, flops, shown_flops = TABLES[name][row.name]
        assert (*row.output[1:], row.output[0]) == size, row.name
        assert row.parameters == parameters, row.name
        assert round(row.flops / 1e6, 2 if flops == 0.13 else 1) == flops, row.name
        if parameters:
            cut = 500 if (name, row.name) == ("nn2", "inception4a") else 0
            assert printed(row.parameters - cut, shown_parameters) == shown_parameters
            assert printed(row.flops, shown_flops) == shown_flops


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        ("nn1", 140_025_664, 1608.3),
        ("nn2", 7_456_304, 1599.8),
        ("nn3", 7_456_304, 816.3),
        ("nn4", 6_607_888, 285.3),
    ],
)
def test_totals_of_the_paper(name: str, parameters: int, flops: float) -> None:
    table = table_of(name)
    assert table.parameters == parameters
    assert round(table.flops / 1e6, 1) == flops


@pytest.mark.parametrize(
    ("name", "size", "parameters", "flops"), [("nns1", (165, 165), 26e6, 220e6), ("nns2", (140, 116), 4.3e6, 20e6)]
)
def test_reconstructions_meet_the_published_budgets(
    name: str, size: tuple[int, int], parameters: float, flops: float
) -> None:
    table = table_of(name)
    with torch.device("meta"):
        assert create_network(name).image_size == size
    assert table.parameters == pytest.approx(parameters, rel=0.01)
    assert table.flops == pytest.approx(flops, rel=0.01)


def test_compact_is_as_small_as_it_says(everything: NetworkTable) -> None:
    (row,) = [row for row in everything.rows if row.name == "compact"]
    assert 1e6 < row.parameters < 2e6
    assert 40e6 < row.macs < 50e6


def inception_by_hand(channels: int, side: int, block: str) -> tuple[int, int, int, int]:
    """One line of table 2, as printed there, by hand: channels and side of the output, parameters, FLOPS."""
    ones, three_in, three, five_in, five, pool = re.fullmatch(
        r"(\d+) (\d+) (\d+)(?:,2)? (\d+) (\d+)(?:,2)? (?:m|L2)(?:,(\d+)p| 3x3,2)", block
    ).groups(default="0")  # pyright: ignore[reportOptionalMemberAccess]
    after = (side + 1) // 2 if ",2" in block else side
    out, parameters, flops = 0, 0, 0
    for kernel, wide, filters, positions in (
        (1, channels, int(ones), after**2),
        (1, channels, int(three_in), side**2),
        (3, int(three_in), int(three), after**2),
        (1, channels, int(five_in), side**2),
        (5, int(five_in), int(five), after**2),
        (1, channels, int(pool), after**2),
    ):
        cost = (kernel * kernel * wide + 1) * filters
        parameters, flops = parameters + cost, flops + cost * positions
    out = int(ones) + int(three) + int(five) + (int(pool) or channels)
    return out, after, parameters, flops


def test_rows_of_inception_blocks_by_hand() -> None:
    lines = """3a 64 96 128 16 32 m,32p
        3b 64 96 128 32 64 L2,64p
        3c 0 128 256,2 32 64,2 m 3x3,2
        4a 256 96 192 32 64 L2,128p
        4b 224 112 224 32 64 L2,128p
        4c 192 128 256 32 64 L2,128p
        4d 160 144 288 32 64 L2,128p
        4e 0 160 256,2 64 128,2 m 3x3,2
        5a 384 192 384 48 128 L2,128p
        5b 384 192 384 48 128 m,128p"""
    for name, image in (("nn2", 224), ("nn3", 160)):
        rows = {row.name: row for row in table_of(name).rows}
        channels, side = 192, image // 8
        for line in lines.splitlines():
            block, _, spec = line.strip().partition(" ")
            channels, side, parameters, flops = inception_by_hand(channels, side, spec)
            row = rows[f"inception{block}"]
            assert (row.output, row.parameters, row.flops) == ((channels, side, side), parameters, flops)


@pytest.mark.parametrize("name", list_networks())
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_two_conventions_differ_by_the_biases(name: str, batch_norm: bool) -> None:
    with torch.device("meta"):
        network = create_network(name, batch_norm=batch_norm)
    x = torch.empty(1, 3, *network.image_size, device="meta")
    flops = count_flops(network, x)
    biases = 0
    for layer, spent in flops.items():
        bias, weight = network.get_submodule(layer).bias, network.get_submodule(layer).weight
        if isinstance(bias, torch.Tensor) and isinstance(weight, torch.Tensor):
            biases += spent // (weight.numel() + bias.numel()) * bias.numel()
    assert sum(flops.values()) == count_macs(network, x).total + biases
    assert layer_table(network).flops == sum(flops.values())
    assert layer_table(network).parameters == count_parameters(network)


@pytest.mark.parametrize("size", [(33, 64), (64, 50), (97, 129)])
def test_tables_for_other_sizes_are_of_what_really_runs(size: tuple[int, int]) -> None:
    network = create_network("compact", seed=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    table = layer_table(network, size)
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    x = torch.randn(2, 3, *size)
    for row, layer in zip(table.rows, [*network.trunk, network.embedding], strict=True):
        x = layer(x)
        assert x.shape[1:] == row.output
    with pytest.raises(InputError, match=r"images for compact: expected .* with sides >= 16, got"):
        layer_table(network, (15, 64))


def test_networks_side_by_side(everything: NetworkTable) -> None:
    table = everything
    assert [row.name for row in table.rows] == [*list_networks(), "resnet50"]
    resnet = table.rows[-1]
    assert resnet.parameters == 25_557_032  # torchvision's documentation of its weights
    assert round(resnet.macs / 1e9, 2) == 4.09  # He et al. 2016 say 3.8, with the stride on the first 1×1
    assert resnet.flops == resnet.macs + 1000  # the only biases are those of the logits
    for row in table.rows:
        assert row.macs < row.flops < 1.02 * row.macs or row.name == "resnet50"
    text = table.format_table()
    assert len(text.splitlines()) == 9
    assert text.splitlines()[1].startswith("nn1       220 × 220  140,025,664  1,608.3  ")
    assert table._repr_html_().count("<tr>") == 9
    with pytest.raises(InputError, match="unknown face network 'nn5'; did you mean"):
        compare_networks(["nn5"])


def test_a_wider_embedding_costs_its_own_weights_only(everything: NetworkTable) -> None:
    narrow, wide = everything.rows[1], compare_networks(["nn2"], embedding_dim=512).rows[0]
    assert wide.name == narrow.name == "nn2"
    assert wide.parameters - narrow.parameters == (512 - 128) * 1025


def test_the_table_of_the_documentation_is_this_one() -> None:
    """What `python -m benchmarks.faces_tables` writes is there."""
    page = (Path(__file__).parents[2] / "docs" / "faces.md").read_text()
    (found,) = re.findall(r"<!-- table: networks -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert found == networks_table()


def test_a_table_by_layer_as_text() -> None:
    lines = table_of("nn4").format_table().splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "M", "FLOPS"]
    assert lines[1].split() == ["conv1", "48", "×", "48", "×", "64", "9,472", "21.8"]
    assert lines[-1].split() == ["total", "6,607,888", "285.3"]
