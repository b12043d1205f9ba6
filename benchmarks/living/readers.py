"""Threads that search while another one writes."""

import threading
from time import perf_counter, sleep, thread_time

import numpy as np

_BATCH = 10
_BATCHES_A_SECOND = 10


def read_while_writing(retriever, catalogue, options):
    """Search by many threads, first alone, then while labels are added.

    Returns
    -------
    dict
        Microseconds of CPU of single searches, and the number of labels that were added
        per second.
    """
    texts, _ = catalogue.test_queries(np.arange(catalogue.n_first), 5_000)
    record = {}
    for is_writing in (False, True):
        took, n_added = _read(retriever, texts, options, is_writing=is_writing)
        name = "writing" if is_writing else "alone"
        p50, p99 = np.percentile(took, [50, 99])
        record |= {f"{name}_p50_us": p50, f"{name}_p99_us": p99}
        if is_writing:
            record["added_per_second"] = n_added / options.seconds
    return record


def _read(retriever, texts, options, *, is_writing):
    stop = threading.Event()
    took = [[] for _ in range(options.readers)]

    def read(number):
        row = number
        while not stop.is_set():
            start = thread_time()
            retriever.search(texts[row % len(texts)])
            took[number].append(1e6 * (thread_time() - start))
            row += options.readers

    threads = [
        threading.Thread(target=read, args=(number,))
        for number in range(options.readers)
    ]
    for thread in threads:
        thread.start()
    n_added, start = 0, perf_counter()
    while perf_counter() - start < options.seconds:
        if is_writing:
            names = [f"written {n_added + i} {texts[i]}" for i in range(_BATCH)]
            retriever.add_labels(names)
            n_added += _BATCH
        rest = start + (n_added / _BATCH + 1) / _BATCHES_A_SECOND - perf_counter()
        sleep(max(rest, 0) if is_writing else 0.1)
    stop.set()
    for thread in threads:
        thread.join()
    return np.concatenate(took), n_added
