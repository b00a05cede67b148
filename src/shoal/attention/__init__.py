"""Linear-time attention that knows its own error.

    phi = create_feature_map("learned", dim=64).fit(q, k, v)               # on calibration tokens
    out = linear_attention(q, k, v, feature_map=phi)
    print(estimate_error(q, k, v, phi))                                    # 0.11 [0.09, 0.13]

Layouts are torch's: [batch, heads, seq, dim].
"""

from shoal.attention.choose import Candidate, FeatureMapChoice, choose_feature_map
from shoal.attention.error import ErrorEstimate, estimate_error
from shoal.attention.features import Features
from shoal.attention.layer import LinearAttention
from shoal.attention.maps.base import FeatureMap
from shoal.attention.operator import linear_attention
from shoal.attention.reference import kernel_matrix, linear_attention_reference, softmax_attention_reference
from shoal.attention.registry import create_feature_map, list_feature_maps, register_feature_map
from shoal.attention.reporting import DenominatorWarning
from shoal.attention.state import AttentionState
from shoal.attention.swap import SwapReport, replace_attention
from shoal.attention.windowed import windowed_linear_attention

__all__ = [
    "AttentionState",
    "Candidate",
    "DenominatorWarning",
    "ErrorEstimate",
    "FeatureMap",
    "FeatureMapChoice",
    "Features",
    "LinearAttention",
    "SwapReport",
    "choose_feature_map",
    "create_feature_map",
    "estimate_error",
    "kernel_matrix",
    "linear_attention",
    "linear_attention_reference",
    "list_feature_maps",
    "register_feature_map",
    "replace_attention",
    "softmax_attention_reference",
    "windowed_linear_attention",
]
