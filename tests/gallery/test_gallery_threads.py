"""One embedder, several threads: a network has one mode, and nobody may turn it while another computes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from shoal.faces import create_network
from shoal.gallery import Embedder


def test_a_network_in_training_mode_embeds_the_same_for_every_thread():
    network = create_network("compact", 8, image_size=(16, 16), batch_norm=True, seed=0)
    network.train()  # as it is after a training; embedding turns it, and turns it back
    embedder = Embedder.of(network)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (6, 3, 16, 16), generator=generator, dtype=torch.uint8)
    alone = embedder(images)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: embedder(images), range(64)))
    assert all(np.allclose(found, alone, atol=1e-6) for found in together)
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name  # no statistics of a batch went in
