"""Attention heads written by hand, proved on every input, and compared with learned ones.

from shoal.circuits import compare, compile_rule, learn, not_self, same, verify

rule = same() & not_self()
head = compile_rule(rule, vocabulary="ABC", max_len=4)     # a plain nn.Module, weights readable as tables
print(verify(head, rule))                                  # every input up to 4 tokens
twins = learn(rule, vocabulary="ABC", max_len=4)           # 20 seeds at once
compare(head, twins[0]).score                              # whatever the basis of queries and keys
"""

from shoal.circuits.ablation import Ablation, ablate
from shoal.circuits.agreement import Agreement, compare
from shoal.circuits.compiling import compile_rule, to_multihead
from shoal.circuits.copying import copy_score
from shoal.circuits.decompiling import decompile
from shoal.circuits.head import Head, Trace
from shoal.circuits.layout import NULL, Layout
from shoal.circuits.learning import Training, learn
from shoal.circuits.likeness import measure_redundancy, redundancy
from shoal.circuits.matching import match_heads, measure_matching
from shoal.circuits.measures import Measure
from shoal.circuits.patterns import Pattern, describe_pattern, measure_pattern, recorded_attention
from shoal.circuits.proof import Counterexample, Proof, verify
from shoal.circuits.recording import record_queries_and_keys
from shoal.circuits.rules import Rule, Unique, expected_output, selected
from shoal.circuits.tables import Shares, measure_shares, ov_table, qk_table, variance_shares
from shoal.circuits.writing import at, first, last, not_self, parse_rule, previous, same, token, unique

__all__ = [
    "NULL",
    "Ablation",
    "Agreement",
    "Counterexample",
    "Head",
    "Layout",
    "Measure",
    "Pattern",
    "Proof",
    "Rule",
    "Shares",
    "Trace",
    "Training",
    "Unique",
    "ablate",
    "at",
    "compare",
    "compile_rule",
    "copy_score",
    "decompile",
    "describe_pattern",
    "expected_output",
    "first",
    "last",
    "learn",
    "match_heads",
    "measure_matching",
    "measure_pattern",
    "measure_redundancy",
    "measure_shares",
    "not_self",
    "ov_table",
    "parse_rule",
    "previous",
    "qk_table",
    "record_queries_and_keys",
    "recorded_attention",
    "redundancy",
    "same",
    "selected",
    "to_multihead",
    "token",
    "unique",
    "variance_shares",
    "verify",
]
