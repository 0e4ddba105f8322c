"""What a scenario's dump has to hold at least, so that an empty answer cannot pass."""

BATCH_SIZE = 16

PAGES = 150
BATCHES = 10
FULL_ROOTS = 2
PAE_ENTRIES = 3
MIXED_ROOTS = 2
TREE_ENTRIES = 500

# How many paths have to end in what, of one scenario.
PATH_ENDS = {
    "shadow": {"leaf": 50, "nonpresent": 100, "mmio": 1},
    "la57": {"leaf": 50, "nonpresent": 100, "mmio": 1},
    "tdp": {"leaf": 8, "nonpresent": 12, "mmio": 1},
}
PATH_DOMAINS = {"shadow": {"gva", "gpa"}, "la57": {"gva", "gpa"}, "tdp": {"gpa"}}

# Of one batch, by scenario: three leaf tables under one path and one under another.
LEVELS = {"shadow": [4, 3, 2, 1, 1, 1, 3, 2, 1], "la57": [5, 4, 3, 2, 1, 1, 1, 4, 3, 2, 1]}


def below_floor(scenario: str, records: dict[str, list[dict]]):
    """(what was counted, what is too little) of each floor of the scenario; none of a scenario without floors."""
    if scenario in ("shadow", "la57"):
        yield at_least("pages", len(records["pages"]), PAGES)
        yield at_least("unsync batches", len(records["unsync"]), BATCHES)
        full = {batch["name"] for batch in records["unsync"] if len(batch["pages"]) == BATCH_SIZE}
        yield at_least("roots with a full batch", len(full), FULL_ROOTS)
        entries = [root for root in records["roots"] if ".pae" in root["slot"] and root["valid"]]
        yield at_least("valid PAE entries", len(entries), PAE_ENTRIES)
        found = [[page["level"] for page in batch["pages"]] for batch in records["unsync"]]
        yield at_least(f"batches of the levels {' '.join(map(str, LEVELS[scenario]))}",
                       found.count(LEVELS[scenario]), 1)
    if scenario == "tdp":
        yield at_least("roots with leaves at two levels", len(mixed_roots(records["levels"])), MIXED_ROOTS)


def below_tree_floor(scenario: str, lines: dict[str, list[dict]]):
    """Of the command lines `tree ROOT` and `path ROOT ADDRESS`."""
    entries = sum(len(records) for line, records in lines.items() if line.startswith("tree "))
    paths = [records for line, records in lines.items() if line.startswith("path ")]
    yield at_least("entries in the trees", entries, TREE_ENTRIES)
    for kind, floor in PATH_ENDS.get(scenario, {}).items():
        ends = [records for records in paths if records[-1]["kind"] == kind]
        yield at_least(f"paths that end in {kind}", len(ends), floor)
    missing = PATH_DOMAINS.get(scenario, set()) - {records[0]["domain"] for records in paths}
    yield "paths of each domain", [f"none in {domain} addresses" for domain in sorted(missing)]


def mixed_roots(levels: list[dict]) -> set[str]:
    sizes: dict[str, set[int]] = {}
    for record in levels:
        if record["leaves"]:
            sizes.setdefault(record["root_sp"], set()).add(record["level"])
    return {root for root, found in sizes.items() if len(found) > 1}


def at_least(what: str, count: int, floor: int) -> tuple[str, list[str]]:
    return f"{what}: {count}", [] if count >= floor else [f"only {count}, not {floor}"]
