"""How hard an example is for a network, and which labels are wrong.

from shoal.difficulty import difficulty_scores, find_label_errors, prediction_depth

found = prediction_depth(model, (train_x, train_y), (test_x, test_y))   # .depth, .soft_depth, .probe_accuracy
issues = find_label_errors(model, (train_x, train_y))                   # .score: 0 = wrong label; .ranked, .suggested
print(difficulty_scores(found))                                         # margin, entropy, ... with their directions

Rooms within: `nearest` and `tables` (exact neighbours), `pooling` and `features` (what a probe sees), `votes`
and `depth`, `history` and `scores`, `label_errors`.
"""

from shoal.difficulty.depth import Depth, depth_of_features, prediction_depth
from shoal.difficulty.features import Features, probe_features
from shoal.difficulty.history import PredictionHistory, Recorder
from shoal.difficulty.label_errors import LabelIssues, find_label_errors
from shoal.difficulty.nearest import Neighbours, nearest
from shoal.difficulty.scores import Score, ScoreTable, difficulty_scores, prototypicality
from shoal.measure.paths import choose_layers

__all__ = [
    "Depth",
    "Features",
    "LabelIssues",
    "Neighbours",
    "PredictionHistory",
    "Recorder",
    "Score",
    "ScoreTable",
    "choose_layers",
    "depth_of_features",
    "difficulty_scores",
    "find_label_errors",
    "nearest",
    "prediction_depth",
    "probe_features",
    "prototypicality",
]
