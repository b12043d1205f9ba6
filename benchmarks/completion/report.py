"""Tables of measurements."""

from benchmarks.report import markdown

MEGA = 1e6
QUALITY = ("MRR@10", "BLEU_RR", "success@10")
BY_FREQUENCY = "MRR@10 by frequency"


def label(record):
    """Return the name of a system, with its variant if it has several."""
    variant = record["variant"]
    return record["system"] + ("" if variant == "default" else f", {variant}")


def quality_table(records, measure):
    """One row for each system and variant, a column for each length of prefix."""
    groups = list(records[0]["quality"][measure])
    rows = [
        [label(record), *(f"{record['quality'][measure][g]:.4f}" for g in groups)]
        for record in records
    ]
    return markdown([measure, *map(str, groups)], rows)


def cost_table(records):
    """One row for each system and variant: times, size, coverage."""
    header = [
        "system",
        "index s",
        "train s",
        "disk MB",
        "one call µs p50",
        "p99",
        "p99 of processor",
        "in turn µs",
        "short of k %",
        "short %",
    ]
    return markdown(header, [cost_row(record) for record in records])


def cost_row(record):
    times, quality = record["times"], record["quality"]
    index = times["index_s"]
    return [
        label(record),
        "-" if index is None else f"{index:.2f}",
        f"{times['train_s']:.2f}",
        f"{times['disk_bytes'] / MEGA:.1f}",
        f"{times['single_p50_s'] * MEGA:.0f}",
        f"{times['single_p99_s'] * MEGA:.0f}",
        f"{times['single_busy_p99_s'] * MEGA:.0f}",
        f"{times['batch_s'] * MEGA:.0f}",
        f"{quality['short of k'] * 100:.2f}",
        f"{quality['short'] * 100:.2f}",
    ]


def show(task, records):
    """All tables of a task."""
    return "\n\n".join(
        [
            f"## {task}",
            "By length of the prefix:",
            *(quality_table(records, measure) for measure in QUALITY),
            "Prefixes of uniform length, by how often training saw the query (from):",
            quality_table(records, BY_FREQUENCY),
            "Costs, one thread:",
            cost_table(records),
        ]
    )
