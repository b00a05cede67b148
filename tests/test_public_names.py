"""The names that users rely on: a change here is a breaking change and belongs into the changelog."""

import dataclasses
import importlib
import inspect
import subprocess
import sys

import pytest

ROOMS = {
    "shoal.attention": "AttentionState Candidate DenominatorWarning ErrorEstimate FeatureMap FeatureMapChoice Features "
    "LinearAttention SwapReport choose_feature_map create_feature_map estimate_error kernel_matrix linear_attention "
    "linear_attention_reference list_feature_maps register_feature_map replace_attention softmax_attention_reference "
    "windowed_linear_attention",
    "shoal.circuits": "NULL Ablation Agreement Counterexample Head Layout Measure Pattern Proof Rule Shares Trace "
    "Training Unique ablate at compare compile_rule copy_score decompile describe_pattern expected_output first last "
    "learn match_heads measure_matching measure_pattern measure_redundancy measure_shares not_self ov_table "
    "parse_rule previous qk_table record_queries_and_keys recorded_attention "
    "redundancy same selected to_multihead token unique variance_shares verify",
    "shoal.measure": "Interval Latency MacCount MacCounter Recording bootstrap_interval count_macs count_parameters "
    "exact_proportion_interval latency mean_interval paired_difference_interval proportion_interval record "
    "standard_error",
    "shoal.data": "Choice DataRow DataSpec FileCheck FlipCrop ImageSet ImageSplits Normalise Place PublishedSet "
    "alternating_flip cache_folder channel_statistics cutout describe_all fetch find_best find_spec list_datasets load "
    "locate random_crop random_flip stratified_sample verify",
    "shoal.engine": "Batches Data FitConfig History Interrupted Objective Precision Progress RunFolder Silent World "
    "as_batches choose_device choose_precision choose_progress classification describe_environment evaluate fit "
    "in_order latest_checkpoint load_checkpoint precision_named save_checkpoint seed_everything stream",
    "shoal.nets": "BasicBlock Bottleneck ModelConfig ResNet create_model list_models load_model register_model "
    "save_model unregister_model",
    "shoal.report": "Drawing draw render write_report",
    "shoal.exits": "Certificate Confidence EarlyExit Entropy ExitOutputs ExitResult FrontierRow Margin Patience Policy "
    "calibrate calibrate_outputs certify choose_policy contradiction_path exit_outputs export fit_exits "
    "fit_temperatures frontier joint_objective load_exits policy_path save_exits",
    "shoal.difficulty": "Depth Features LabelIssues Neighbours PredictionHistory Recorder Score ScoreTable "
    "choose_layers depth_of_features difficulty_scores find_label_errors nearest prediction_depth probe_features "
    "prototypicality",
    "shoal.summarize": "Explanation ModelConfig Rouge RougeTable SimulatedCurve Summarizer SummarizerConfig "
    "SummaryModel Tokenizer Verdict WritingRules baselines compare diagnose explain first_sentence fit lead score "
    "simulate",
    "shoal.data.texts": "TextPairs TextSpec TextSplits deduplicate describe_texts digest_of distinct_rows fetch_texts "
    "find_best_texts holds_texts list_text_sets load_texts match_text_spec read_docstrings read_documents read_git_log "
    "read_pairs split_pairs verify_texts with_test_rows",
    "shoal.faces": "ClusterScores CollapseWatch Compatibility Difference FaceAugment FaceNetwork FacesConfig "
    "GroupRates GroupTable HarmonicConfig HarmonicTripletLoss IdentityBatchSampler LayerRow LayerTable "
    "Monitor NetworkRow NetworkTable Roc Threshold Translation TripletLoss Triplets ValAtFar "
    "Verification all_triplets by_group cluster cluster_scores compare_networks compatibility "
    "create_network embed fit_faces fit_harmonic fit_translation layer_table list_networks load_network "
    "mine_all mine_hardest mine_random mine_semi_hard roc save_network semi_hard_triplets threshold_at "
    "triplet_loss verification",
    "shoal.gallery": "AuditLog Calibration Embedder Enrolled Entry Erasure Face Gallery Gate Group Match Matches "
    "Person Upgrade UpgradeRefusedError enrol_folder",
    "shoal.data.faces": "MOST_PIXELS Box FaceChoice FacePairs FaceSet FaceSpec FaceSplits describe_faces draw_pairs "
    "fetch_faces find_best_faces folds_in_order lfw_pairs lfw_rows list_face_sets list_images list_people load_faces "
    "match_face_spec read_boxes read_face read_pair_list read_people_list split_faces verify_faces",
}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_offers_these_names(room: str) -> None:
    module = importlib.import_module(room)
    assert sorted(module.__all__) == sorted(ROOMS[room].split())
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_arguments_of_the_contract() -> None:
    from shoal.attention import choose_feature_map, create_feature_map, estimate_error, linear_attention
    from shoal.circuits import Agreement, Proof, compare, compile_rule, decompile, learn, verify
    from shoal.exits import EarlyExit, ExitResult, fit_exits, frontier
    from shoal.measure import count_macs, record
    from shoal.summarize import Summarizer, Verdict, diagnose, fit, score

    names = lambda function: list(inspect.signature(function).parameters)  # noqa: E731
    assert names(linear_attention)[:8] == ["q", "k", "v", "feature_map", "is_causal", "key_mask", "scale", "enable_gqa"]
    assert {"state", "return_state"} <= set(names(linear_attention))
    assert names(create_feature_map)[:5] == ["name", "dim", "num_features", "orthogonal", "seed"]
    assert names(estimate_error)[:6] == ["q", "k", "v", "feature_map", "is_causal", "confidence"]
    assert names(choose_feature_map)[:4] == ["q", "k", "v", "target_error"]
    assert names(compile_rule)[:3] == ["rule", "vocabulary", "max_len"]
    assert names(verify)[:3] == ["head", "rule", "max_len"]
    assert names(learn)[:4] == ["rule", "vocabulary", "max_len", "seeds"]
    assert names(compare)[:2] == ["head_a", "head_b"]
    assert names(decompile)[:1] == ["head"]
    proof = {field.name for field in dataclasses.fields(Proof)}
    assert proof >= {"holds", "inputs", "worst_margin", "leak", "counterexample"}
    assert isinstance(Agreement.score, property)
    assert list(inspect.signature(EarlyExit).parameters)[:3] == ["backbone", "at", "num_classes"]
    assert list(inspect.signature(EarlyExit.predict).parameters) == ["self", "x", "policy"]
    assert [field.name for field in dataclasses.fields(ExitResult)] == ["logits", "exit_index", "macs"]
    assert list(inspect.signature(fit_exits).parameters)[:4] == ["net", "train", "validation", "mode"]
    assert list(inspect.signature(frontier).parameters)[:2] == ["net", "data"]
    assert names(fit)[:3] == ["train", "validation", "config"]
    asked = ["self", "texts", "num_beams", "max_words", "length_penalty", "no_repeat_ngram"]
    assert names(Summarizer.summarize)[:6] == asked
    assert names(score)[:2] == ["predictions", "references"]
    assert names(diagnose)[:1] == ["history"]
    assert {field.name for field in dataclasses.fields(Verdict)} >= {"kind", "step", "gap", "low", "high"}
    assert list(inspect.signature(count_macs).parameters)[:2] == ["model", "inputs"]
    assert list(inspect.signature(record).parameters)[:2] == ["model", "layers"]


def test_the_rest_of_the_contract() -> None:
    """What else the design promises: names of arguments, their defaults, and what comes back."""
    import shoal.attention as attention
    import shoal.circuits as circuits
    import shoal.difficulty as difficulty
    import shoal.exits as exits
    import shoal.measure as measure
    import shoal.summarize as summarize

    names = lambda function: list(inspect.signature(function).parameters)  # noqa: E731
    default = lambda function, name: inspect.signature(function).parameters[name].default  # noqa: E731
    fields = lambda kind: {field.name for field in dataclasses.fields(kind)}  # noqa: E731

    make = attention.create_feature_map
    assert [default(make, name) for name in ("num_features", "orthogonal", "seed")] == [256, True, 0]
    maps = ["trig", "positive", "hyperbolic", "oprf", "sderf", "landmark", "learned", "elu", "relu", "taylor"]
    assert attention.list_feature_maps()[: len(maps)] == maps
    assert names(attention.FeatureMap.fit)[:3] == ["self", "q", "k"]
    assert names(attention.LinearAttention)[:2] == ["embed_dim", "num_heads"]
    assert default(attention.windowed_linear_attention, "window") == 128
    assert names(attention.AttentionState.select) == ["self", "rows"]
    assert all(callable(getattr(attention.AttentionState, name)) for name in ("clone", "merge", "to", "state_dict"))
    for reference in (attention.softmax_attention_reference, attention.linear_attention_reference):
        assert names(reference)[:3] == ["q", "k", "v"]
    assert fields(attention.ErrorEstimate) >= {"value", "low", "high"}

    assert names(circuits.token) == ["name"]
    assert names(circuits.at) == ["place"]
    for rule in ("same", "not_self", "first", "last", "previous", "unique"):
        assert names(getattr(circuits, rule)) == []
    assert default(circuits.learn, "seeds") == 20

    depth = difficulty.prediction_depth
    assert names(depth)[:3] == ["model", "reference", "queries"]
    assert [default(depth, name) for name in ("queries", "layers", "k", "definition")] == [None, None, 30, "agreement"]
    assert fields(difficulty.Depth) >= {"depth", "soft_depth", "votes", "layers"}
    assert isinstance(difficulty.Depth.probe_accuracy, property)
    assert names(difficulty.find_label_errors)[:2] == ["source", "data"]
    assert "score" in fields(difficulty.LabelIssues)
    assert names(difficulty.difficulty_scores)[:1] == ["depth"]

    assert names(exits.calibrate)[:3] == ["net", "data", "policy"]
    assert default(exits.calibrate, "max_accuracy_drop") is inspect.Parameter.empty
    assert default(exits.calibrate, "confidence") == 0.95
    assert names(exits.export) == ["net", "policy", "path", "example"]
    for policy in (exits.Confidence, exits.Entropy, exits.Margin, exits.Patience):
        assert names(policy)[:1] == ["thresholds"]
        assert hasattr(policy, "certificate") or "certificate" in names(policy)

    assert names(summarize.Summarizer.from_pretrained) == ["folder"]
    assert names(summarize.Summarizer.save_pretrained) == ["self", "folder"]
    write = summarize.Summarizer.summarize
    assert [default(write, name) for name in ("num_beams", "no_repeat_ngram")] == [4, 3]

    assert {"total", "by_module"} <= fields(measure.MacCount)
    assert names(measure.latency)[:1] == ["fn"]
    assert names(measure.count_parameters)[:1] == ["model"]


def test_arguments_of_faces() -> None:
    import shoal.faces as room

    names = lambda function: list(inspect.signature(function).parameters)  # noqa: E731
    assert names(room.create_network)[:3] == ["name", "embedding_dim", "batch_norm"]
    assert names(room.mine_semi_hard)[:2] == ["embeddings", "labels"]
    assert [field.name for field in dataclasses.fields(room.Triplets)] == ["anchor", "positive", "negative"]
    assert names(room.TripletLoss)[:2] == ["margin", "mining"]
    assert names(room.TripletLoss.forward) == ["self", "embeddings", "labels"]
    assert names(room.HarmonicTripletLoss)[:1] == ["margin"]
    assert names(room.HarmonicTripletLoss.forward) == ["self", "new", "old", "labels"]
    assert names(room.fit_translation)[:2] == ["new", "old"]
    assert names(room.IdentityBatchSampler)[:3] == ["labels", "identities", "per_identity"]
    assert names(room.verification)[:4] == ["a", "b", "same", "folds"]
    assert names(room.threshold_at)[:1] == ["far"]
    assert names(room.cluster)[:1] == ["embeddings"]
    assert {"threshold", "must_link", "cannot_link"} <= set(names(room.cluster))


def test_arguments_of_the_gallery() -> None:
    from shoal.gallery import Gallery, Match

    names = lambda function: list(inspect.signature(function).parameters)  # noqa: E731
    assert names(Gallery.open)[:2] == ["where", "model"]
    assert names(Gallery.enrol)[:3] == ["self", "person", "faces"]
    assert names(Gallery.identify)[:3] == ["self", "face", "k"]
    assert inspect.signature(Gallery.identify).parameters["k"].default == 5
    assert names(Gallery.verify)[:3] == ["self", "person", "face"]
    assert names(Gallery.upgrade)[:2] == ["self", "model"]
    assert names(Gallery.forget) == ["self", "person"]
    assert all(callable(getattr(Gallery, name)) for name in ("cluster", "rollback", "audit", "close", "__len__"))
    assert [field.name for field in dataclasses.fields(Match)][:3] == ["person", "distance", "probability"]


def test_the_commands_and_their_flags() -> None:
    from shoal.cli import app

    attention, circuits, data, difficulty = (app[name] for name in ("attention", "circuits", "data", "difficulty"))
    exits, faces, gallery, study = (app[name] for name in ("exits", "faces", "gallery", "study"))
    summarize = app["summarize"]
    words = lambda group: {name for name in group if not name.startswith("-")}  # noqa: E731
    systems = {"attention", "circuits", "difficulty", "exits", "faces", "summarize"}
    assert words(app) == {"data", "demo", "gallery", "report", "serve", "study", *systems}
    assert words(data) == {"fetch", "list", "verify"}
    assert words(study) == systems
    assert words(attention) == {"error"}
    assert words(circuits) == {"compare", "learn", "page", "verify"}
    assert words(difficulty) == {"label-errors", "score"}
    assert words(exits) == {"calibrate", "export", "fit", "sweep"}
    assert words(faces) == {"cluster", "embed", "train", "verify"}
    assert words(gallery) == {
        *("assign", "audit", "cluster", "enrol", "forget", "identify", "merge", "people", "rollback", "undo"),
        *("key", "serve", "upgrade", "verify"),
    }
    assert words(summarize) == {"fit", "run", "score"}
    flags = lambda app: {name for argument in app.assemble_argument_collection() for name in argument.names}  # noqa: E731
    common = {"--budget", "--seed", "--run", "--json", "--who"}
    assert {"--data", "--minutes", "--offline", "--device", *common} <= flags(study["exits"])
    images = {"--data", "--minutes", "--epochs", "--offline", "--device", "--width", "--precision"}
    assert {"--k", "--layers", "--early", "--references", *images, *common} <= flags(study["difficulty"])
    assert {"--heads", "--length", "--features", "--window", *common} <= flags(study["attention"])
    assert {"--seeds", "--resamples", "--transformers", "--transformer-steps", *common} <= flags(study["circuits"])
    assert {"--vocabulary", "--max-len", "--json"} <= flags(circuits["verify"]) & flags(circuits["compare"])
    assert {"--vocabulary", "--max-len", "--seeds", "--seed", "--output", "--json"} <= flags(circuits["learn"])
    assert {"--vocabulary", "--max-len", "--seeds", "--output", "--json"} <= flags(circuits["page"])
    asked = {"--target-error", "--causal", "--window", "--maps", "--features", "--seed", "--json"}
    assert asked <= flags(attention["error"])
    measured = {"--model", "--layers", "--k", "--minutes", "--epochs", "--size", "--shown", "--seed", "--offline"}
    assert {"--output", "--json"} | measured <= flags(difficulty["score"]) & flags(difficulty["label-errors"])
    texts = {"--data", "--minutes", "--compare-minutes", "--overfit-minutes", "--attention", "--device"}
    assert {*texts, *common} <= flags(study["summarize"])
    rows = {"--document", "--summary", "--strict", "--offline", "--json"}
    assert {"--validation", "--output", "--minutes", "--epochs", "--size", "--seed", *rows} <= flags(summarize["fit"])
    written = {"--num-beams", "--max-words", "--length-penalty", "--no-repeat-ngram", "--temperature"}
    assert {*written, *rows} <= flags(summarize["score"])
    assert {*written, "--document", "--json"} <= flags(summarize["run"])
    people = {"--data", "--minutes", "--compare-minutes", "--harmonic-minutes", "--offline", "--device"}
    assert {*people, *common} <= flags(study["faces"])
    taught = {"--network", "--embedding-dim", "--image-size", "--margin", "--mining", "--held-out", "--watch-people"}
    assert {"--minutes", "--epochs", "--crop", "--seed", "--output", "--json", *taught} <= flags(faces["train"])
    assert {"--view", "--pairs", "--draw", "--far", "--confidence", "--crop", "--json"} <= flags(faces["verify"])
    assert {"--boxes", "--crop", "--flip", "--precision", "--output", "--json"} <= flags(faces["embed"])
    assert {"--threshold", "--linkage", "--output", "--json"} <= flags(faces["cluster"])
    assert {"--data", "--offline", "--seed", "--minutes", "--run", "--json", "--who"} <= flags(app["demo"])


def test_importing_the_package_is_light() -> None:
    code = "import sys, shoal, shoal.cli; print([m for m in ('torch', 'numpy', 'altair', 'PIL') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
