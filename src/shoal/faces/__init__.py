"""FaceNet: faces as 128 numbers whose distances say who is who, and embeddings that survive a new model.

    network = create_network("compact", seed=0)
    fit_faces(network, faces, FacesConfig(minutes=10))          # semi-hard triplets
    embeddings = embed(network, images, flip=True)              # [n, 128], unit length
    print(verification(embeddings[pairs.a], embeddings[pairs.b], pairs.same))
    fit_harmonic(newer, embeddings, faces)                      # a new network that the old one compares with

Distances are squared and Euclidean, between unit vectors: 0 to 4. Faces themselves, LFW and pairs are in
`shoal.data.faces`.

Rooms within: `layers`, `inception`, `network`, `networks` and its `networks_paper`, `networks_small` and `compact`
(from images to embeddings), `arithmetic` and `comparing_networks` (what they cost), `saving`; `mining`, `losses`,
`monitors` and `sampling` (triplets); `pretraining`, `augmentation`, `training` and `embedding`; `harmonic`,
`harmonic_training`, `translation` and `compatibility` (two generations); `verification`, `thresholds`, `by_group`;
`clustering` and `cluster_scores`.

Source: Schroff, Kalenichenko & Philbin 2015, "FaceNet: A unified embedding for face recognition and clustering"
(arXiv 1503.03832).
"""

from shoal.faces.arithmetic import LayerRow, LayerTable, layer_table
from shoal.faces.augmentation import FaceAugment
from shoal.faces.by_group import GroupRates, GroupTable, by_group
from shoal.faces.cluster_scores import ClusterScores, cluster_scores
from shoal.faces.clustering import cluster
from shoal.faces.comparing_networks import NetworkRow, NetworkTable, compare_networks
from shoal.faces.compatibility import Compatibility, Difference, compatibility
from shoal.faces.embedding import embed
from shoal.faces.harmonic import HarmonicTripletLoss
from shoal.faces.harmonic_training import fit_harmonic
from shoal.faces.losses import TripletLoss, triplet_loss
from shoal.faces.mining import mine_hardest, mine_random, mine_semi_hard, semi_hard_triplets
from shoal.faces.mining_lists import all_triplets, mine_all
from shoal.faces.monitors import CollapseWatch, Monitor
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network, list_networks
from shoal.faces.roc import Roc, roc
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.saving import load_network, save_network
from shoal.faces.thresholds import Threshold, threshold_at
from shoal.faces.training import fit_faces
from shoal.faces.training_config import FacesConfig, HarmonicConfig
from shoal.faces.translation import Translation, fit_translation
from shoal.faces.triplets import Triplets
from shoal.faces.verification import verification
from shoal.faces.verification_result import ValAtFar, Verification

__all__ = [
    "ClusterScores",
    "CollapseWatch",
    "Compatibility",
    "Difference",
    "FaceAugment",
    "FaceNetwork",
    "FacesConfig",
    "GroupRates",
    "GroupTable",
    "HarmonicConfig",
    "HarmonicTripletLoss",
    "IdentityBatchSampler",
    "LayerRow",
    "LayerTable",
    "Monitor",
    "NetworkRow",
    "NetworkTable",
    "Roc",
    "Threshold",
    "Translation",
    "TripletLoss",
    "Triplets",
    "ValAtFar",
    "Verification",
    "all_triplets",
    "by_group",
    "cluster",
    "cluster_scores",
    "compare_networks",
    "compatibility",
    "create_network",
    "embed",
    "fit_faces",
    "fit_harmonic",
    "fit_translation",
    "layer_table",
    "list_networks",
    "load_network",
    "mine_all",
    "mine_hardest",
    "mine_random",
    "mine_semi_hard",
    "roc",
    "save_network",
    "semi_hard_triplets",
    "threshold_at",
    "triplet_loss",
    "verification",
]
