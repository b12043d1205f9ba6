"""A neural model in PyTorch: a GRU of the prefix, embeddings of the previous query."""

import json
from bisect import bisect_left
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from common import run
from torch import nn

ANSWERED_AT_ONCE = 512
LONGEST_PREFIX = 24
# So many known queries are all scored in training; of more, for each row a sample of
# those that match.
MOST_AT_ONCE = 5_000
SAMPLED = 128
UNKNOWN = 0
CHARACTER_SIZE = 32
# How often training hides which query the previous one is, so that one it has never
# seen is answered by its words.
HIDDEN_SHARE = 0.1
LAST_CHARACTER = chr(0x10FFFF)


class Net(nn.Module):
    """Scores of all known queries."""

    def __init__(self, n_characters, n_words, n_previous, n_known, size, dropout):
        super().__init__()
        self.characters = nn.Embedding(n_characters, CHARACTER_SIZE, padding_idx=0)
        self.gru = nn.GRU(CHARACTER_SIZE, size, batch_first=True)
        self.words = nn.EmbeddingBag(n_words, size, padding_idx=0)
        self.identity = nn.Embedding(n_previous, size, padding_idx=UNKNOWN)
        self.dropout = nn.Dropout(dropout)
        self.join = nn.Linear(3 * size, size)
        self.out = nn.Linear(size, n_known)

    def encode(self, prefix, length, words, previous):
        """One vector for each call: int arrays (n, longest), (n,), (n, most), (n,)."""
        # An empty prefix is read as one character of padding.
        packed = nn.utils.rnn.pack_padded_sequence(
            self.characters(prefix), length.clamp(min=1), True, enforce_sorted=False
        )
        _, last = self.gru(packed)
        parts = [last[0], self.words(words), self.identity(previous)]
        return self.dropout(torch.tanh(self.join(self.dropout(torch.cat(parts, 1)))))

    def forward(self, *inputs):
        return self.out(self.encode(*inputs))


class Reader:
    """Strings to numbers."""

    def __init__(self, previous, known):
        number = {text: place for place, text in enumerate(sorted(set(previous)), 1)}
        words = sorted({word for text in number for word in text.split()})
        characters = sorted({character for text in known for character in text})
        self.previous = number
        self.words = {word: place for place, word in enumerate(words, 1)}
        self.characters = {c: place for place, c in enumerate(characters, 1)}
        self.known = known

    def read_previous(self, texts):
        """Words, padded with 0, and identity: int64 (n, most words) and (n,)."""
        found = [[self.words.get(word, 0) for word in text.split()] for text in texts]
        identity = [self.previous.get(text, UNKNOWN) for text in texts]
        return padded(found), torch.tensor(identity)

    def read_prefixes(self, texts):
        """Characters, padded with 0, and their number."""
        found = [
            [self.characters.get(c, 0) for c in text[:LONGEST_PREFIX]] for text in texts
        ]
        return padded(found), torch.tensor([len(row) for row in found])

    def matches(self, prefix):
        """The range of the sorted known queries that start with a prefix."""
        known = self.known
        return bisect_left(known, prefix), bisect_left(known, prefix + LAST_CHARACTER)


def padded(rows):
    """Int64 of shape (n, longest row, at least 1), 0 behind a row's end."""
    array = np.zeros((len(rows), max(1, *map(len, rows), 1)), dtype=np.int64)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return torch.from_numpy(array)


def draw_lengths(longest, rng):
    """Lengths of prefixes, short ones more often; new ones for every epoch."""
    drawn = np.exp(rng.random(len(longest)) * np.log(longest + 1)).astype(int)
    return np.clip(drawn, 1, longest)


class Neural:
    """Trained on prefixes drawn anew in every epoch, by Adam with a falling rate.

    The loss is that of the softmax over the queries that start with the prefix, for
    these are what is answered from; where many queries are known, over a sample.
    """

    def __init__(self, settings, seed):
        self.size = settings.get("size", 128)
        self.rate = settings.get("rate", 6e-3)
        self.epochs = settings.get("epochs", 20)
        self.dropout = settings.get("dropout", 0.5)
        self.batch = settings.get("batch", 256)
        self.weight_decay = settings.get("weight_decay", 1e-6)
        self.seed = seed
        self.facts = {"version": torch.__version__}

    def fit(self, data):
        start = perf_counter()
        torch.manual_seed(self.seed)
        self.reader = Reader(data["previous"], data["known"])
        self.net = self.make_net(data)
        self.train(data)
        self.net.eval()
        return None, perf_counter() - start

    def make_net(self, data):
        reader = self.reader
        sizes = [
            len(part) + 1 for part in (reader.characters, reader.words, reader.previous)
        ]
        net = Net(*sizes, len(reader.known), self.size, self.dropout)
        counts = dict.fromkeys(reader.known, 0)
        for query in data["queries"]:
            counts[query] += 1
        logs = torch.log(torch.tensor(list(counts.values()), dtype=torch.float32))
        with torch.no_grad():
            net.out.bias.copy_(logs - logs.mean())
        return net

    def train(self, data):
        rng = np.random.default_rng(self.seed)
        queries = data["queries"]
        number = {query: place for place, query in enumerate(self.reader.known)}
        targets = torch.tensor([number[query] for query in queries])
        words, identity = self.reader.read_previous(data["previous"])
        longest = np.array([len(query) for query in queries])
        n_steps = self.epochs * -(-len(queries) // self.batch)
        adam = torch.optim.Adam(
            self.net.parameters(), lr=self.rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, self.rate, n_steps)
        for _ in range(self.epochs):
            lengths = draw_lengths(longest, rng)
            order = rng.permutation(len(queries))
            for start in range(0, len(order), self.batch):
                rows = order[start : start + self.batch]
                prefixes = [queries[row][: lengths[row]] for row in rows]
                hidden = torch.from_numpy(rng.random(len(rows)) < HIDDEN_SHARE)
                previous = words[rows], identity[rows].masked_fill(hidden, UNKNOWN)
                loss = self.loss(prefixes, previous, targets[rows])
                adam.zero_grad()
                loss.backward()
                adam.step()
                schedule.step()

    def loss(self, prefixes, previous, targets):
        states = self.net.encode(*self.reader.read_prefixes(prefixes), *previous)
        bounds = self.bounds(prefixes)
        if len(self.reader.known) <= MOST_AT_ONCE:
            logits = self.net.out(states).masked_fill(~self.mask(bounds), -torch.inf)
            return nn.functional.cross_entropy(logits, targets)
        logits = self.sampled_logits(states, bounds, targets)
        return nn.functional.cross_entropy(logits, torch.zeros_like(targets))

    def sampled_logits(self, states, bounds, targets):
        """Logits of the targets, first, and of some others that match."""
        sizes = bounds[:, 1:] - bounds[:, :1]
        shares = torch.rand(len(targets), SAMPLED)
        others = bounds[:, :1] + (shares * sizes).long()
        columns = torch.cat([targets[:, None], others], dim=1)
        logits = (
            nn.functional.embedding(columns, self.net.out.weight) @ states[..., None]
        )
        logits = logits.squeeze(-1) + self.net.out.bias[columns]
        # Each of the others stands for so many; the target for itself only.
        stands_for = torch.log((sizes - 1).clamp(min=1) / SAMPLED)
        is_target = others == targets[:, None]
        others = (logits[:, 1:] + stands_for).masked_fill(is_target, -torch.inf)
        return torch.cat([logits[:, :1], others], dim=1)

    def bounds(self, prefixes):
        """The range of the queries that match each prefix: int64 (n, 2)."""
        return torch.tensor([self.reader.matches(prefix) for prefix in prefixes])

    def mask(self, bounds):
        """Which queries are in each range: bool of shape (n, n_known)."""
        places = torch.arange(len(self.reader.known))
        return (places >= bounds[:, :1]) & (places < bounds[:, 1:])

    def save(self, folder):
        torch.save(self.net.state_dict(), Path(folder, "net.pt"))
        names = {
            key: list(getattr(self.reader, key))
            for key in ("previous", "words", "characters", "known")
        }
        Path(folder, "names.json").write_text(json.dumps(names))

    def vary(self, settings):
        del settings

    @torch.inference_mode()
    def complete(self, prefix, previous, k):
        low, high = self.reader.matches(prefix)
        if low == high:
            return []
        state = self.net.encode(
            *self.reader.read_prefixes([prefix]), *self.reader.read_previous([previous])
        )
        out = self.net.out
        scores = out.weight[low:high] @ state[0] + out.bias[low:high]
        best = scores.topk(min(k, high - low)).indices
        return [self.reader.known[low + place] for place in best.tolist()]

    @torch.inference_mode()
    def complete_batch(self, prefixes, previous, k):
        found = []
        for start in range(0, len(prefixes), ANSWERED_AT_ONCE):
            part = slice(start, start + ANSWERED_AT_ONCE)
            logits = self.net(
                *self.reader.read_prefixes(prefixes[part]),
                *self.reader.read_previous(previous[part]),
            )
            logits = logits.masked_fill(
                ~self.mask(self.bounds(prefixes[part])), -torch.inf
            )
            scores, best = logits.topk(min(k, logits.shape[1]))
            found += [
                [self.reader.known[place] for place in row[kept].tolist()]
                for row, kept in zip(best, scores > -torch.inf, strict=True)
            ]
        return found


if __name__ == "__main__":
    run(Neural)
