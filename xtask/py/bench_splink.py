"""Matches CSV files with Splink on DuckDB, tuned as Splink's own documentation does it, and tells accuracy and time.

usage: bench_splink.py KIND TRUTH FILE [OTHER]

KIND is persons (febrl columns) or organisations. TRUTH is the column with the true party, or "-" for the middle of a
febrl record id. Prints one line of JSON with the keys of the example match_csv.

Persons follow the "febrl3" and "febrl4" examples of Splink's documentation: its NameComparison, DateOfBirth- and
PostcodeComparison and Levenshtein levels, deterministic rules for the prior, u by random sampling, m by expectation
maximisation under two blocking rules. Organisations follow the advice of its topic guides: Jaro-Winkler levels on the
name, exact or Levenshtein levels on codes and phones, term frequencies on names.
"""

import json
import sys
import time

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLDS = (0.5, 0.9, 0.95, 0.99)


def read(path: str, truth: str, source: str) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False).map(lambda v: v.strip() or None)
    first = frame.columns[0]
    frame["unique_id"] = source + "-" + frame[first]
    frame["truth"] = frame[first].str.split("-").str[1] if truth == "-" else frame[truth]
    return frame


def persons() -> tuple[list, list, list, list]:
    comparisons = [
        cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
        cl.NameComparison("surname").configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("date_of_birth", [1, 2]),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("address_1", [1, 3]),
        cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
        cl.LevenshteinAtThresholds("suburb", [1, 3]),
    ]
    rules = [
        block_on("soc_sec_id"),
        block_on("given_name", "surname"),
        block_on("date_of_birth"),
        block_on("surname", "postcode"),
        block_on("given_name", "postcode"),
        block_on("address_1", "street_number"),
        "l.given_name = r.surname and l.surname = r.given_name",
        block_on("suburb", "postcode"),
    ]
    certain = [block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")]
    training = [block_on("date_of_birth"), block_on("postcode")]
    return comparisons, rules, certain, training


def organisations() -> tuple[list, list, list, list]:
    comparisons = [
        cl.JaroWinklerAtThresholds("name", [0.95, 0.88]).configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("uscc", [1]),
        cl.ExactMatch("legal_representative").configure(term_frequency_adjustments=True),
        cl.LevenshteinAtThresholds("phone", [1]),
        cl.LevenshteinAtThresholds("address", [2, 6]),
    ]
    rules = [
        block_on("uscc"),
        block_on("phone"),
        block_on("name"),
        block_on("address"),
        block_on("substr(name, 1, 6)"),
        block_on("substr(name, 1, 3)", "legal_representative"),
    ]
    certain = [block_on("uscc"), block_on("name", "phone")]
    training = [block_on("phone"), block_on("name")]
    return comparisons, rules, certain, training


def scores(frame: pd.DataFrame, column: str) -> dict:
    def pairs(sizes: pd.Series) -> int:
        return int((sizes * (sizes - 1) // 2).sum())

    true = pairs(frame.groupby("truth").size())
    found = pairs(frame.groupby(column).size())
    both = pairs(frame.groupby(["truth", column]).size())
    precision, recall = both / max(found, 1), both / max(true, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-12)
    return {"true_pairs": true, "found_pairs": found, "both_pairs": both, "precision": precision, "recall": recall, "f1": f1}


def main() -> None:
    kind, truth, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    begun = time.monotonic()
    frames = [read(path, truth, "ab"[at]) for at, path in enumerate(paths)]
    read_seconds = time.monotonic() - begun
    begun = time.monotonic()
    comparisons, rules, certain, training = persons() if kind == "persons" else organisations()
    settings = SettingsCreator(
        link_type="link_only" if len(frames) > 1 else "dedupe_only",
        unique_id_column_name="unique_id",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=rules,
    )
    db = DuckDBAPI()
    registered = [db.register(frame.drop(columns=["truth"])) for frame in frames]
    linker = Linker(registered if len(registered) > 1 else registered[0], settings, log_level=40)
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=5_000_000, seed=1)
    for rule in training:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predicted = linker.inference.predict(threshold_match_probability=THRESHOLDS[0])
    clusters = [
        (threshold, linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold))
        for threshold in THRESHOLDS
    ]
    match_seconds = time.monotonic() - begun
    everyone = pd.concat(frames)[["unique_id", "truth"]]
    best: dict = {}
    for threshold, cluster in clusters:
        found = cluster.as_pandas_dataframe()[["unique_id", "cluster_id"]]
        score = scores(everyone.merge(found, on="unique_id", how="left"), "cluster_id")
        if score["f1"] > best.get("f1", -1):
            best = {**score, "threshold": threshold}
    print(json.dumps({"records": len(everyone), **best, "read_seconds": read_seconds, "match_seconds": match_seconds}))


if __name__ == "__main__":
    main()
