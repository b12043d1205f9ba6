"""
Find the subjects of a title
============================

A library describes each book and article by a few terms of a large vocabulary. From
titles with known terms, `TextRetriever` learns to find the terms of a new title.
"""

import os
import time

from skxmr import TextRetriever
from skxmr.datasets import load_full, load_subjects
from skxmr.metrics import ndcg_at_k, precision_at_k, recall_at_k

# %%
# Each row is a title; the target is a sparse indicator of its terms. The sample ships
# with the package; the full data set is read if the environment variable ``SKXMR_DATA``
# names its folder.
if "SKXMR_DATA" in os.environ:
    train = load_full("subjects", subset="train")
    test = load_full("subjects", subset="test")
else:
    train = load_subjects(subset="train")
    test = load_subjects(subset="test")
print(f"{len(train.data):,} training titles, {train.target.shape[1]:,} terms")

# %%
# The terms are texts too: each is an additional training row for itself. A search by
# words of the terms and of their titles complements the classifier.
retriever = TextRetriever(random_state=0, n_jobs=-1)
start = time.perf_counter()
retriever.fit(train.data, train.target, label_texts=train.target_names)
model = retriever.classifier_
print(
    f"fitted in {time.perf_counter() - start:.1f} s: {model.n_weights_:,} weights, "
    f"{model.nbytes_ / 1e6:.0f} MB"
)

# %%
# A few test titles with the terms that are found; the terms assigned by the library are
# marked.
for row in (1, 6, 17, 20, 28, 36):
    print(f"\n{test.data[row]}")
    chosen = set(test.target[[row]].indices)
    for column, name, score in retriever.search(test.data[row], k=5):
        print(f"  {'*' if column in chosen else ' '} {score:.3f}  {name}")

# %%
# Quality and speed. Most titles have one or two terms, so that the precision at a
# larger k cannot be 1.
start = time.perf_counter()
ranking = retriever.search_batch(test.data, k=10)
elapsed = time.perf_counter() - start
print(f"\nrecall@10     {recall_at_k(test.target, ranking, k=10):.3f}")
print(f"nDCG@10       {ndcg_at_k(test.target, ranking, k=10):.3f}")
for k in (1, 3, 5):
    print(f"precision@{k}   {precision_at_k(test.target, ranking, k=k):.3f}")
print(f"{1e6 * elapsed / len(test.data):.0f} µs per title, in a batch")

start = time.perf_counter()
for title in test.data[:500]:
    retriever.search(title, k=10)
elapsed = time.perf_counter() - start
print(f"{1e6 * elapsed / 500:.0f} µs per title, one at a time")
