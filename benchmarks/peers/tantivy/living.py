"""Adds and removes documents; prints the seconds of each day as JSON."""

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import tantivy

HEAP_BYTES = 500_000_000


def document(label, fields):
    """A document of a label, which can be removed by its number."""
    made = tantivy.Document()
    made.add_unsigned("label", label)
    for number, text in enumerate(fields):
        made.add_text(f"field{number}", text)
    return made


def main(path):
    """Index the first labels, then pass the days."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    n_fields = max(map(len, data["labels"]))
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("label", indexed=True, stored=True, fast=True)
    for number in range(n_fields):
        builder.add_text_field(f"field{number}", index_option="freq")
    with tempfile.TemporaryDirectory() as folder:
        index = tantivy.Index(builder.build(), path=folder)
        start = process_time()
        writer = index.writer(HEAP_BYTES, num_threads=1)
        for label, fields in enumerate(data["labels"]):
            writer.add_document(document(label, fields))
        writer.commit()
        record = {"index_cpu_s": process_time() - start, "days": []}
        for day in data["days"]:
            wall, cpu = perf_counter(), process_time()
            for label, fields in enumerate(day["added"], day["first"]):
                writer.add_document(document(label, fields))
            for label in day["removed"]:
                writer.delete_documents_by_term("label", label)
            writer.commit()
            index.reload()
            index.searcher()
            record["days"].append(
                {"s": perf_counter() - wall, "cpu_s": process_time() - cpu}
            )
    print(json.dumps(record))


if __name__ == "__main__":
    main(sys.argv[1])
