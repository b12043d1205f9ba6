"""Describes candidate labels of a query by numbers, and ranks them by a weighted sum.

Candidates are the labels that a model or a lexical search found. Each is described by
the model's score, by the terms that it shares with the query, field by field, and by
the similarity of its name, and by the product of its embedding with the query's. Short
lists of an inverted index are read, and their labels looked up in a bitmap of hashed
candidates; in long ones, several candidates are looked up side by side.

Characters are compared by trigrams of bytes: names and queries are UTF-8 with one space
before and after each word. A trigram lies in one word or at its end.
"""

from cython.view cimport array
from libc.math cimport INFINITY, exp, expm1, log, log1p, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from skxmr._cython._beam cimport Heap, push, sort
from skxmr._cython._embedding_search cimport (
    VECTORS_AHEAD, half_product, halves_level, prefetch_vector
)
from skxmr._cython._inverted_index cimport InvertedIndex, Postings, go_on, value_at
from skxmr._cython._vocabulary cimport prefetch

cdef extern from "include/bits.h" nogil:
    int count_bits "skxmr_count_bits"(uint64_t word)

FEATURES = (
    "model",
    "reached",
    "text",
    "training",
    "log_text",
    "log_training",
    "text_gain",
    "text_coverage",
    "training_coverage",
    "similarity",
    "containment",
    "same_name",
    "log_count",
)

# Only where labels have embeddings; after all others.
COSINE_FEATURE = "cosine"

cdef enum:
    MODEL
    REACHED
    TEXT
    TRAINING
    LOG_TEXT
    LOG_TRAINING
    TEXT_GAIN
    TEXT_COVERAGE
    TRAINING_COVERAGE
    SIMILARITY
    CONTAINMENT
    SAME_NAME
    LOG_COUNT
    COSINE
    N_FEATURES

    SPACE = 32
    EMPTY = 0  # no trigram: of three zero bytes

    N_SLOTS = 1 << 13  # of hashed labels
    # Reading a posting takes as long as this part of a lookup in a long list.
    READS_PER_LOOKUP = 8
    SIDE_BY_SIDE = 8  # lookups

cdef int level_of_halves = halves_level()

# Smaller scores of a model are as good as none.
cdef double LEAST_SCORE = 1e-9

# Thousands of texts cannot distinguish higher probabilities. Without a limit, a single
# candidate, whose share is 1, would have infinite log odds.
HIGHEST_LOG_SHARE = -1e-3
cdef double highest_log_share = HIGHEST_LOG_SHARE


cdef struct Candidate:
    int64_t label
    double log_score   # -inf where only the lexical search found it
    double log_count
    const uint8_t* name
    int64_t n_bytes    # of the name


cdef struct Trigram:
    uint32_t code
    int32_t number  # among those of the query


cdef void sort_by_label(
    Candidate* candidates, int64_t n, Candidate* spare
) noexcept nogil:
    """Sort candidates by label, those of the same label as they are."""
    cdef int64_t[256] starts
    cdef int64_t i, digit, position, size, bits = 0
    cdef int shift = 0
    for i in range(n):
        bits |= candidates[i].label
    while shift < 63 and bits >> shift:
        memset(starts, 0, sizeof(starts))
        for i in range(n):
            starts[candidates[i].label >> shift & 255] += 1
        position = 0
        for digit in range(256):
            size = starts[digit]
            starts[digit] = position
            position += size
        for i in range(n):
            digit = candidates[i].label >> shift & 255
            spare[starts[digit]] = candidates[i]
            starts[digit] += 1
        memcpy(candidates, spare, n * sizeof(Candidate))
        shift += 8


cdef inline uint32_t trigram_at(const uint8_t* text, int64_t i) noexcept nogil:
    """Return the trigram that starts at i, or EMPTY if it is of two words."""
    if text[i + 1] == SPACE:
        return EMPTY
    return text[i] | <uint32_t>text[i + 1] << 8 | <uint32_t>text[i + 2] << 16


cdef inline void find_all(
    const Postings* postings,
    const int32_t* keys,  # IN (SIDE_BY_SIDE,)
    int64_t* found,       # OUT (SIDE_BY_SIDE,)
) noexcept nogil:
    """Find the last posting whose label is not larger than each key, or the first.

    All lookups take the same steps, none of which waits for another lookup.
    """
    cdef const int32_t* labels = postings.labels
    cdef int64_t half, length = postings.size
    cdef int j
    for j in range(SIDE_BY_SIDE):
        found[j] = 0
    while length > 1:
        half = length // 2
        for j in range(SIDE_BY_SIDE):
            found[j] += half * (labels[found[j] + half] <= keys[j])
        length -= half


cdef inline const Trigram* slot_of(
    uint32_t code, const Trigram* trigrams, uint32_t mask
) noexcept nogil:
    """Return the slot of a trigram, or the empty one where it belongs."""
    cdef uint32_t slot = (code * <uint32_t>2654435761) >> 8 & mask
    # A product, 0 if one factor is, as a single branch that is seldom taken: whether a
    # name has a trigram would be mispredicted.
    while <uint64_t>(trigrams[slot].code ^ code) * trigrams[slot].code:
        slot = (slot + 1) & mask
    return &trigrams[slot]


cdef inline void _add_odds(
    double total, double* largest, double* odds
) noexcept nogil:
    """Add to the sum of odds relative to the largest, which may change."""
    if total > largest[0]:
        odds[0] = odds[0] * exp(largest[0] - total) + 1
        largest[0] = total
    else:
        odds[0] += exp(total - largest[0])


cdef inline double probability(
    double sum, double total, const double* line
) noexcept nogil:
    """Return a logistic function of the log odds of a share, and of the total.

    The share is exp(sum - total), of all candidates.
    """
    cdef double share = min(sum - total, highest_log_share)
    cdef double log_odds = share - log(-expm1(share))
    return 1 / (1 + exp(-(line[0] + line[1] * log_odds + line[2] * total)))


cdef inline void* memory_of(const uint8_t[::1] block) noexcept nogil:
    return <void*>&block[0]


cdef inline bint find_name(
    const uint8_t[::1] names, const int64_t[::1] offsets, int64_t i, Candidate* found
) noexcept nogil:
    """Find the i-th name; return whether there is one."""
    if i + 1 >= offsets.shape[0]:
        return False
    found.n_bytes = offsets[i + 1] - offsets[i]
    if not 0 <= offsets[i] <= offsets[i + 1] <= names.shape[0]:
        return False
    found.name = &names[offsets[i]] if found.n_bytes else NULL
    return True


cdef class CandidateScorer:
    """The candidates of one query at a time.

    Parameters
    ----------
    index : InvertedIndex
        Of label texts and, in the last field, of training texts.
    has_training : bool
        Whether there is a field of training texts.
    names : ndarray of uint8
        The names of the labels, one after the other.
    name_offsets : ndarray of shape (n_labels + 1,), int64
        Where each starts.
    log_counts : ndarray of shape (n_labels,), float32
        The logarithm of 1 + the number of training rows of each label.
    embeddings : ndarray of shape (n_labels, length), uint16, default=None
        The bits of half-precision numbers; None if labels have no embeddings.
    """

    cdef InvertedIndex index
    cdef int64_t training_field
    cdef const uint8_t[::1] names
    cdef const int64_t[::1] name_offsets
    cdef const float[::1] log_counts
    cdef const uint8_t[::1] added_names
    cdef const int64_t[::1] added_offsets
    cdef const float[::1] added_log_counts
    cdef const uint16_t[:, ::1] embeddings
    cdef int64_t n_labels

    cdef int64_t n
    cdef double[:, ::1] rows        # (capacity, N_FEATURES): features of candidates
    cdef uint8_t[::1] of_candidates
    cdef Candidate* candidates
    cdef int32_t[::1] keys          # the labels of the candidates, and others behind
    cdef uint64_t[::1] filter       # (N_SLOTS / 64,): a bit for each slot in use
    cdef int32_t[::1] slots         # (N_SLOTS,): one of its candidates
    cdef int32_t[::1] hits          # (capacity * READS_PER_LOOKUP,): postings
    cdef uint64_t[::1] seen         # a bit for each trigram of the query
    cdef uint8_t[::1] of_trigrams
    cdef Trigram* trigrams          # a hash table, with linear probing
    cdef uint32_t mask              # its size less 1, which is a power of 2
    cdef int64_t n_trigrams

    def __init__(
        self,
        InvertedIndex index,
        bint has_training,
        const uint8_t[::1] names,
        const int64_t[::1] name_offsets,
        const float[::1] log_counts,
        const uint16_t[:, ::1] embeddings=None,
    ):
        self.index = index
        self.training_field = index.n_fields - 1 if has_training else -1
        self.names = names
        self.name_offsets = name_offsets
        self.log_counts = log_counts
        self.n_labels = log_counts.shape[0]
        self.added_names = None
        self.added_offsets = None
        self.added_log_counts = None
        self.embeddings = embeddings
        self.of_candidates = array(shape=(1,), itemsize=1, format="B")
        self.of_trigrams = array(shape=(1,), itemsize=1, format="B")
        self.filter = array(
            shape=(N_SLOTS // 64,), itemsize=sizeof(uint64_t), format="Q"
        )
        self.slots = array(shape=(N_SLOTS,), itemsize=sizeof(int32_t), format="i")
        self._reserve(1, 1)

    def with_added(
        self,
        const uint8_t[::1] names,
        const int64_t[::1] name_offsets,
        const float[::1] log_counts,
    ):
        """Add the names and counts of labels that follow the others."""
        self.added_names = names
        self.added_offsets = name_offsets
        self.added_log_counts = log_counts
        self.n_labels = self.log_counts.shape[0] + log_counts.shape[0]
        return self

    def describe(
        self,
        const int64_t[::1] model_labels,    # IN: -1 for none, at the end
        const double[::1] model_scores,     # IN
        const int64_t[::1] other_labels,    # IN: of other searches; -1 for none
        const int32_t[::1] terms,           # IN: of the query
        const float[::1] counts,            # IN: their numbers in the query
        const uint8_t[::1] text,            # IN: of the query, as the names are
        const float[::1] embedding=None,    # IN: of the query, or None
    ):
        """Describe the labels of several rankings, and return their number.

        A custom model may rank labels that do not exist, and arrays of memory-mapped
        models are not read before they are used: both are errors.
        """
        cdef bint is_valid, has_embedding = embedding is not None
        if has_embedding and (
            self.embeddings is None or embedding.shape[0] != self.embeddings.shape[1]
        ):
            raise ValueError("embedding has another length than those of labels.")
        if has_embedding and self.embeddings.shape[0] != self.n_labels:
            raise ValueError("embeddings has not one row for each label.")
        self._reserve(model_labels.shape[0] + other_labels.shape[0], text.shape[0])
        with nogil:
            self._unite(model_labels, model_scores, other_labels)
            is_valid = self._is_valid()
            if is_valid:
                self._describe_scores()
                self._describe_terms(terms, counts)
                self._describe_names(text)
                if has_embedding and embedding.shape[0]:
                    self._describe_embeddings(&embedding[0])
        if not is_valid:
            raise ValueError(
                f"A candidate is not one of the {self.n_labels} labels, or "
                f"the names of the labels are damaged."
            )
        return self.n

    def copy(
        self,
        int64_t[::1] labels,     # OUT (n,): ascending
        double[:, ::1] features,  # OUT (n, at most N_FEATURES)
    ):
        """Copy the candidates and their first features."""
        cdef int64_t i
        for i in range(self.n):
            labels[i] = self.candidates[i].label
        features[:, :] = self.rows[:self.n, :features.shape[1]]

    def rank(
        self,
        const double[::1] weights,      # IN: of the first features
        const double[::1] calibration,  # IN (3,): of `probability`
        int64_t[::1] labels,            # OUT (k,); -1 for none
        double[::1] scores,             # OUT (k,): probabilities; 0 for none
    ):
        """List the candidates of the largest sums of weights times features.

        Of equal sums, the smaller label comes first.
        """
        cdef int64_t i
        cdef Heap best
        cdef double total
        if labels.shape[0] == 0:
            raise ValueError("labels is empty; expected one or more.")
        if weights.shape[0] > N_FEATURES:
            raise ValueError(f"There are {N_FEATURES} features; got more weights.")
        # Only keys are kept: they share the memory of the nodes.
        best.nodes = best.keys = &labels[0]
        best.scores = &scores[0]
        best.capacity = labels.shape[0]
        best.size = 0
        with nogil:
            total = self._push_all(weights, &best)
            sort(&best)
            for i in range(best.size):
                best.scores[i] = probability(best.scores[i], total, &calibration[0])
            for i in range(best.size, best.capacity):
                best.keys[i] = -1
                best.scores[i] = 0

    def score(
        self,
        const double[::1] weights,      # IN: of the first features
        const double[::1] calibration,  # IN (3,): of `probability`
        const int64_t[::1] listed,      # IN: what searches found, ascending
        const int64_t[::1] given,       # IN: ascending
        double[::1] scores,             # OUT (n_given,): probabilities
    ):
        """Score given candidates, each as one more beside those that are listed.

        A listed one has the bits of its score in `rank` of the listed ones.
        """
        cdef int64_t i, label, n_listed = listed.shape[0], n_given = given.shape[0]
        cdef int64_t next_listed = 0, next_given = 0
        cdef bint is_listed
        cdef double total, largest = -INFINITY, odds = 0
        if weights.shape[0] > N_FEATURES or scores.shape[0] < n_given:
            raise ValueError(
                f"There are {weights.shape[0]} weights and {scores.shape[0]} scores; "
                f"expected {N_FEATURES} or fewer, and {n_given}."
            )
        for i in range(n_given):
            scores[i] = INFINITY
        with nogil:
            for i in range(self.n):
                label = self.candidates[i].label
                total = self._sum(weights, i)
                is_listed = next_listed < n_listed and listed[next_listed] == label
                if is_listed:
                    next_listed += 1
                    _add_odds(total, &largest, &odds)
                if next_given < n_given and given[next_given] == label:
                    scores[next_given] = total
                    next_given += 1
            if next_given == n_given and next_listed == n_listed:
                self._turn_into_probabilities(
                    calibration, listed, given, largest, odds, scores
                )
        if next_given < n_given or next_listed < n_listed:
            raise ValueError(
                "A listed or given label is no candidate, or not in order."
            )

    cdef void _turn_into_probabilities(
        self, const double[::1] calibration, const int64_t[::1] listed,
        const int64_t[::1] given, double largest, double odds, double[::1] scores,
    ) noexcept nogil:
        cdef int64_t i, next_listed = 0
        cdef double highest, all_odds
        for i in range(given.shape[0]):
            while next_listed < listed.shape[0] and listed[next_listed] < given[i]:
                next_listed += 1
            highest, all_odds = largest, odds
            if next_listed == listed.shape[0] or listed[next_listed] != given[i]:
                _add_odds(scores[i], &highest, &all_odds)
            scores[i] = probability(
                scores[i], highest + log(all_odds), &calibration[0]
            )

    cdef double _push_all(
        self, const double[::1] weights, Heap* best
    ) noexcept nogil:
        cdef int64_t i, label
        cdef double total, largest = -INFINITY, odds = 0  # of the sum
        for i in range(self.n):
            total = self._sum(weights, i)
            _add_odds(total, &largest, &odds)
            label = self.candidates[i].label
            push(best, label, label, total)
        return largest + log(odds) if self.n else -INFINITY

    cdef inline double _sum(
        self, const double[::1] weights, int64_t candidate
    ) noexcept nogil:
        """Return the weighted sum of the features of a candidate."""
        cdef int64_t j
        cdef double total = 0
        for j in range(weights.shape[0]):
            total += weights[j] * self.rows[candidate, j]
        return total

    cdef int _reserve(self, int64_t n_candidates, int64_t n_bytes) except -1:
        cdef int64_t n_slots = 8
        if self.rows is None or self.rows.shape[0] < n_candidates:
            self.rows = array(
                shape=(n_candidates, N_FEATURES), itemsize=sizeof(double), format="d"
            )
            self.of_candidates = array(
                shape=(2 * n_candidates * sizeof(Candidate),), itemsize=1, format="B"
            )
            self.candidates = <Candidate*>memory_of(self.of_candidates)
            self.keys = array(
                shape=(n_candidates + SIDE_BY_SIDE,),
                itemsize=sizeof(int32_t),
                format="i",
            )
            self.hits = array(
                shape=(n_candidates * READS_PER_LOOKUP,),
                itemsize=sizeof(int32_t),
                format="i",
            )
        # Sparse, so that few lookups have a second step, which would be mispredicted.
        while n_slots < 8 * n_bytes:
            n_slots *= 2
        if self.of_trigrams.shape[0] < n_slots * <int64_t>sizeof(Trigram):
            self.of_trigrams = array(
                shape=(n_slots * sizeof(Trigram),), itemsize=1, format="B"
            )
            self.trigrams = <Trigram*>memory_of(self.of_trigrams)
        if self.seen is None or 64 * self.seen.shape[0] < n_slots:
            self.seen = array(
                shape=(n_slots // 64 + 1,), itemsize=sizeof(uint64_t), format="Q"
            )
            self.seen[:] = 0
        self.mask = <uint32_t>(n_slots - 1)
        return 0

    cdef void _unite(
        self,
        const int64_t[::1] model_labels,
        const double[::1] model_scores,
        const int64_t[::1] other_labels,
    ) noexcept nogil:
        """List the labels of all rankings in ascending order, each once."""
        cdef int64_t i, n = 0
        cdef Candidate* all = self.candidates
        for i in range(model_labels.shape[0]):
            if model_labels[i] >= 0:
                all[n].label = model_labels[i]
                all[n].log_score = log(max(model_scores[i], LEAST_SCORE))
                n += 1
        for i in range(other_labels.shape[0]):
            if other_labels[i] >= 0:
                all[n].label = other_labels[i]
                all[n].log_score = -INFINITY
                n += 1
        sort_by_label(all, n, all + n)
        self.n = 0
        for i in range(n):
            if self.n and all[i].label == all[self.n - 1].label:
                # A custom model may list a label twice.
                if all[i].log_score > all[self.n - 1].log_score:
                    all[self.n - 1] = all[i]
            else:
                all[self.n] = all[i]
                self.n += 1

    cdef bint _is_valid(self) noexcept nogil:
        """Find the names of all candidates; return whether each is a label with one."""
        cdef int64_t i
        cdef Candidate* one
        for i in range(self.n):
            one = &self.candidates[i]
            if one.label < self.log_counts.shape[0]:
                one.log_count = self.log_counts[one.label]
                if not find_name(self.names, self.name_offsets, one.label, one):
                    return False
            elif one.label < self.n_labels:
                one.log_count = self.added_log_counts[
                    one.label - self.log_counts.shape[0]
                ]
                if not find_name(
                    self.added_names,
                    self.added_offsets,
                    one.label - self.log_counts.shape[0],
                    one,
                ):
                    return False
            else:
                return False
            if one.n_bytes:
                prefetch(one.name)
        return True

    cdef void _describe_scores(self) noexcept nogil:
        """Set the features of the model's scores; reset all others."""
        cdef int64_t i
        if self.n:
            memset(&self.rows[0, 0], 0, self.n * N_FEATURES * sizeof(double))
        for i in range(self.n):
            self.rows[i, LOG_COUNT] = self.candidates[i].log_count
            if self.candidates[i].log_score > -INFINITY:
                self.rows[i, MODEL] = self.candidates[i].log_score
                self.rows[i, REACHED] = 1

    cdef void _describe_terms(
        self, const int32_t[::1] terms, const float[::1] counts
    ) noexcept nogil:
        """Set BM25 by field, and the share of the query's terms that a field has."""
        cdef int64_t i, j, field, n_fields = self.index.n_fields
        cdef double text = 0, training = 0, weight
        cdef double* row
        self._collect_keys()
        for i in range(terms.shape[0]):
            for field in range(n_fields):
                weight = self._add_list(terms[i] * n_fields + field, counts[i], field)
                if field == self.training_field:
                    training += weight
                else:
                    text += weight
        for j in range(self.n):
            row = &self.rows[j, 0]
            # Of the sum of both and 1, where one of them is 0, it is known already.
            row[LOG_TEXT] = row[TEXT_GAIN] = log1p(row[TEXT]) if row[TEXT] else 0
            if row[TRAINING]:
                row[LOG_TRAINING] = log1p(row[TRAINING])
                row[TEXT_GAIN] = 0
                if row[TEXT]:
                    row[TEXT_GAIN] = (
                        log1p(row[TEXT] + row[TRAINING]) - row[LOG_TRAINING]
                    )
            if text > 0:
                row[TEXT_COVERAGE] /= text
            if training > 0:
                row[TRAINING_COVERAGE] /= training

    cdef void _collect_keys(self) noexcept nogil:
        """List the labels of the candidates, and hash them."""
        cdef int64_t j
        cdef int32_t label = 0
        memset(&self.filter[0], 0, N_SLOTS // 8)
        for j in range(self.n):
            label = <int32_t>self.candidates[j].label
            self.keys[j] = label
            self.slots[label & (N_SLOTS - 1)] = <int32_t>j
            self.filter[(label & (N_SLOTS - 1)) >> 6] |= <uint64_t>1 << (label & 63)
        for j in range(self.n, self.n + SIDE_BY_SIDE):
            self.keys[j] = label

    cdef double _add_list(
        self, int64_t number, float count, int64_t field
    ) noexcept nogil:
        """Add what a term in a field says about each candidate; return its weight."""
        cdef Postings postings
        cdef int score = TEXT, coverage = TEXT_COVERAGE
        cdef double weight
        if field == self.training_field:
            score, coverage = TRAINING, TRAINING_COVERAGE
        self.index._open(number, count, &postings)
        if not postings.size:
            return count * self.index._idf(number)
        weight = count * postings.idf
        self._add_part(&postings, weight, score, coverage)
        if go_on(&postings):
            self._add_part(&postings, weight, score, coverage)
        return weight

    cdef void _add_part(
        self, const Postings* postings, double weight, int score, int coverage
    ) noexcept nogil:
        if postings.size <= READS_PER_LOOKUP * self.n:
            self._read(postings, weight, score, coverage)
        else:
            self._look_up(postings, weight, score, coverage)

    cdef void _read(
        self, const Postings* postings, double weight, int score, int coverage
    ) noexcept nogil:
        """Read a list for labels that are candidates."""
        cdef int64_t i, j, n_hits = 0
        cdef int32_t label
        cdef const int32_t* labels = postings.labels
        cdef const uint64_t* words = &self.filter[0]
        cdef int32_t* hits = &self.hits[0]
        # Branch-free: whether a label is a candidate would be mispredicted.
        for i in range(postings.size):
            label = labels[i] & (N_SLOTS - 1)
            hits[n_hits] = <int32_t>i
            n_hits += words[label >> 6] >> (label & 63) & 1
        for i in range(n_hits):
            label = labels[hits[i]]
            j = self.slots[label & (N_SLOTS - 1)]
            if self.keys[j] != label:
                j = self._find_key(label)
                if j < 0:
                    continue
            self.rows[j, score] += value_at(postings, hits[i])
            self.rows[j, coverage] += weight

    cdef int64_t _find_key(self, int32_t label) noexcept nogil:
        """Return the index of the candidate of a label, or -1."""
        cdef int64_t half, j = 0, length = self.n
        while length > 1:
            half = length // 2
            j += half * (self.keys[j + half] <= label)
            length -= half
        return j if self.keys[j] == label else -1

    cdef void _look_up(
        self, const Postings* postings, double weight, int score, int coverage
    ) noexcept nogil:
        """Look up the candidates in a list, several at a time."""
        cdef int64_t j, first = 0
        cdef int64_t[SIDE_BY_SIDE] found
        while first < self.n:
            find_all(postings, &self.keys[first], found)
            for j in range(first, min(first + SIDE_BY_SIDE, self.n)):
                if postings.labels[found[j - first]] == self.keys[j]:
                    self.rows[j, score] += value_at(postings, found[j - first])
                    self.rows[j, coverage] += weight
            first += SIDE_BY_SIDE

    cdef void _describe_names(self, const uint8_t[::1] text) noexcept nogil:
        """Set the similarity of the candidates' names to the query."""
        cdef int64_t j, size, n_common, n_of_name
        cdef const uint8_t* name
        self._collect_trigrams(text)
        if not self.n_trigrams:
            return
        for j in range(self.n):
            size = self.candidates[j].n_bytes
            if size < 3:
                continue
            name = self.candidates[j].name
            n_of_name = self._see_trigrams(name, size)
            if not n_of_name:
                continue
            n_common = self._count_seen()
            self.rows[j, SIMILARITY] = n_common / sqrt(
                <double>n_of_name * <double>self.n_trigrams
            )
            self.rows[j, CONTAINMENT] = n_common / <double>n_of_name
            self.rows[j, SAME_NAME] = (
                size == text.shape[0] and memcmp(name, &text[0], size) == 0
            )

    cdef int64_t _see_trigrams(self, const uint8_t* name, int64_t size) noexcept nogil:
        """Mark the query's trigrams that a name has; return how many the name has.

        Branch-free: trigrams of two words are none of the query's. What is read of an
        empty slot is multiplied by 0.
        """
        cdef int64_t i, n_of_name = 0
        cdef uint32_t mask = self.mask
        cdef uint32_t code = <uint32_t>name[0] << 8 | <uint32_t>name[1] << 16
        cdef const Trigram* trigrams = self.trigrams
        cdef const Trigram* found
        cdef uint64_t* words = &self.seen[0]
        cdef uint64_t seen = 0
        if self.n_trigrams > 64:
            for i in range(size - 2):
                code = code >> 8 | <uint32_t>name[i + 2] << 16
                n_of_name += name[i + 1] != SPACE
                found = slot_of(code, trigrams, mask)
                words[found.number >> 6] |= (
                    <uint64_t>(found.code == code) << (found.number & 63)
                )
            return n_of_name
        for i in range(size - 2):
            code = code >> 8 | <uint32_t>name[i + 2] << 16
            n_of_name += name[i + 1] != SPACE
            found = slot_of(code, trigrams, mask)
            seen |= <uint64_t>(found.code == code) << found.number
        words[0] = seen
        return n_of_name

    cdef int64_t _count_seen(self) noexcept nogil:
        """Count the trigrams that were marked, and reset all."""
        cdef int64_t i, n_seen = 0
        for i in range((self.n_trigrams + 63) // 64):
            n_seen += count_bits(self.seen[i])
            self.seen[i] = 0
        return n_seen

    cdef void _describe_embeddings(self, const float* embedding) noexcept nogil:
        """Set the products of the candidates' embeddings with the query's."""
        cdef int64_t j, label, length = self.embeddings.shape[1]
        for j in range(self.n):
            if j + VECTORS_AHEAD < self.n:
                label = self.candidates[j + VECTORS_AHEAD].label
                prefetch_vector(&self.embeddings[label, 0], length)
            self.rows[j, COSINE] = half_product(
                &self.embeddings[self.candidates[j].label, 0],
                embedding, length, level_of_halves,
            )

    cdef void _collect_trigrams(self, const uint8_t[::1] text) noexcept nogil:
        cdef int64_t i
        cdef uint32_t code
        cdef Trigram* found
        self.n_trigrams = 0
        memset(self.trigrams, 0, (self.mask + 1) * sizeof(Trigram))
        for i in range(text.shape[0] - 2):
            code = trigram_at(&text[0], i)
            if code == EMPTY:
                continue
            found = <Trigram*>slot_of(code, self.trigrams, self.mask)
            if found.code == EMPTY:
                found.code = code
                found.number = <int32_t>self.n_trigrams
                self.n_trigrams += 1
