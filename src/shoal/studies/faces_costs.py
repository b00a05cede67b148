"""What the paper's networks cost, counted, beside what the paper prints."""

from dataclasses import asdict
from typing import Any

import torch

from shoal.faces.arithmetic import layer_table
from shoal.faces.comparing_networks import compare_networks
from shoal.faces.networks import create_network
from shoal.studies.faces_measured_parts import Layer, Network
from shoal.studies.faces_paper import TABLES, matches


def count_layers() -> list[dict[str, Any]]:
    """The fields of `Layer`, for all rows of the paper's tables 1 and 2 that have parameters."""
    found = []
    for network, table in TABLES.items():
        with torch.device("meta"):
            counted = {row.name: row for row in layer_table(create_network(network)).rows}
        for name, (parameters, flops) in table.items():
            row = counted[name]
            same = matches(row.parameters, parameters) and matches(row.flops, flops)
            layer = Layer(
                network=network,
                name=name,
                parameters=row.parameters,
                flops=row.flops,
                printed=[parameters, flops],
                same=same,
            )
            found.append(asdict(layer))
    return found


def count_networks() -> list[dict[str, Any]]:
    """The fields of `Network`, for all face networks and ResNet-50."""
    return [
        asdict(
            Network(
                name=row.name,
                image=" × ".join(map(str, row.image_size)),
                parameters=row.parameters,
                flops=row.flops,
                macs=row.macs,
                origin=row.origin,
            )
        )
        for row in compare_networks().rows
    ]
