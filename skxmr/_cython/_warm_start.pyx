"""Finds which nodes of an earlier training are not optimal on the present rows.

A node is given by its dual variables. Rows that are gone change its weights if their
dual variables were not 0, and so do rows that are negative now and were positive
before. Other rows that came, whose dual variables are 0, change nothing unless their
margins violate the node.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t

from skxmr._cython._sorted cimport lower_bound
from skxmr._cython._vectors cimport Vectors


cdef class EarlierNodes:
    """The nodes of one level, as they were trained, and their present rows.

    Parameters
    ----------
    X : Vectors
        A vector for each row.
    targets : skxmr._training._targets.LevelTargets
        Of the level, with `duals`.
    changed_rows : Vectors
        For each parent, its rows that may be new to it, ascending.
    measures : ndarray of shape (n_children, 4), float32
        IN and OUT: of each child, as in `LevelResult`. Violations of changed rows and
        what they would gain are added.
    is_solved : ndarray of shape (n_children,), uint8
        IN and OUT: children with 0 are checked, and set to 1 unless they are optimal.
    """

    cdef Vectors X, rows, positives, priors, duals, changed_rows
    cdef const int64_t[::1] child_offsets
    cdef float[:, ::1] measures
    cdef uint8_t[::1] is_solved
    cdef double prior_length, bias_square, tol, negative_cost
    cdef bint is_squared
    # Scratch: a number for each feature and for each row, and of rows their kinds.
    cdef float[::1] features, products
    cdef int64_t[::1] of_parent, of_child
    cdef float[::1] row_values
    # The factors of the prior means; negative until they are known.
    cdef float[::1] scales

    def __init__(
        self, X, targets, changed_rows, solver, *, float[:, ::1] measures,
        uint8_t[::1] is_solved, float[::1] features, float[::1] products,
        float[::1] row_values, int64_t[::1] of_parent, int64_t[::1] of_child,
        float[::1] scales,
    ):
        self.X, self.rows = Vectors(X), Vectors(targets.rows)
        self.positives, self.duals = Vectors(targets.positives), Vectors(targets.duals)
        self.priors = None
        self.prior_length = solver.prior_length
        if solver.prior_length:
            self.priors = Vectors(targets.priors)
        self.changed_rows = Vectors(changed_rows)
        self.child_offsets = targets.child_offsets
        self.measures, self.is_solved = measures, is_solved
        self.is_squared = solver.loss == "squared_hinge"
        self.bias_square, self.tol = solver.bias**2, solver.tol
        self.negative_cost = solver.negative_cost
        self.features, self.products, self.row_values = features, products, row_values
        self.of_parent, self.of_child = of_parent, of_child
        self.scales = scales

    def check(self, int64_t start, int64_t stop):
        """Check the children of parents `start` to `stop`."""
        cdef int64_t parent
        if not 0 <= start <= stop < self.child_offsets.shape[0]:
            raise ValueError(f"start={start}, stop={stop}: there are no such parents.")
        with nogil:
            for parent in range(start, stop):
                if self._has_unsolved(parent):
                    self._mark_rows(parent)
                    self._check_duals(parent)
                    self._add_violations(parent)
                    self._judge(parent)

    cdef bint _has_unsolved(self, int64_t parent) noexcept nogil:
        cdef int64_t child
        for child in range(self.child_offsets[parent], self.child_offsets[parent + 1]):
            if not self.is_solved[child]:
                return True
        return False

    cdef void _mark_rows(self, int64_t parent) noexcept nogil:
        cdef int64_t entry
        cdef int32_t row
        for entry in range(self.rows.offsets[parent], self.rows.offsets[parent + 1]):
            row = self.rows.indices[entry]
            self.of_parent[row] = parent
            self.row_values[row] = self.rows.values[entry]

    cdef void _mark_positives(self, int64_t child) noexcept nogil:
        cdef int64_t entry
        for entry in range(
            self.positives.offsets[child], self.positives.offsets[child + 1]
        ):
            self.of_child[self.positives.indices[entry]] = child

    cdef void _check_duals(self, int64_t parent) noexcept nogil:
        """Solve children with dual variables of rows that are not on that side now."""
        cdef int64_t child, entry
        cdef int32_t row
        cdef bint is_positive, is_trained
        for child in range(self.child_offsets[parent], self.child_offsets[parent + 1]):
            if self.is_solved[child]:
                continue
            self._mark_positives(child)
            for entry in range(
                self.duals.offsets[child], self.duals.offsets[child + 1]
            ):
                row = self.duals.indices[entry]
                is_positive = self.of_child[row] == child
                is_trained = is_positive or self.row_values[row] != 0
                if (
                    self.of_parent[row] != parent or not is_trained
                    or is_positive != (self.duals.values[entry] > 0)
                ):
                    self.is_solved[child] = True
                    break

    cdef void _add_violations(self, int64_t parent) noexcept nogil:
        """Add the violations of changed rows, in the way that reads less.

        Either all rows of the parent are multiplied with each changed row, or the
        weights of each child are computed from its rows.
        """
        cdef int64_t first = self.changed_rows.offsets[parent]
        cdef int64_t n_changed = self.changed_rows.offsets[parent + 1] - first
        cdef int64_t n_rows, n_duals, n_entries = 0, entry
        if n_changed == 0:
            return
        for entry in range(self.rows.offsets[parent], self.rows.offsets[parent + 1]):
            n_entries += self._size(self.rows.indices[entry])
        n_rows = self.rows.offsets[parent + 1] - self.rows.offsets[parent]
        n_duals = (
            self.duals.offsets[self.child_offsets[parent + 1]]
            - self.duals.offsets[self.child_offsets[parent]]
        )
        if n_changed * (n_entries + n_duals) <= n_duals * (1 + n_entries // n_rows):
            for entry in range(first, first + n_changed):
                self._add_by_row(parent, self.changed_rows.indices[entry])
        else:
            self._add_by_child(parent)

    cdef inline int64_t _size(self, int32_t row) noexcept nogil:
        return self.X.offsets[row + 1] - self.X.offsets[row]

    cdef void _add_by_row(self, int64_t parent, int32_t changed) noexcept nogil:
        """Add the violations of one row, from its products with all others."""
        cdef int64_t child, entry
        cdef int32_t row
        cdef double margin
        self._scatter(changed, 1)
        for entry in range(self.rows.offsets[parent], self.rows.offsets[parent + 1]):
            row = self.rows.indices[entry]
            self.products[row] = <float>self._product(row)
        self._clear(changed)
        for child in range(self.child_offsets[parent], self.child_offsets[parent + 1]):
            if self.is_solved[child]:
                continue
            margin = self._scale_of_prior(child)
            if margin:
                margin *= self._prior_product(child)
            for entry in range(
                self.duals.offsets[child], self.duals.offsets[child + 1]
            ):
                margin += <double>self.duals.values[entry] * (
                    self.products[self.duals.indices[entry]] + self.bias_square
                )
            self._mark_positives(child)
            self._add_violation(child, changed, margin)

    cdef double _prior_product(self, int64_t child) noexcept nogil:
        cdef int64_t entry
        cdef double product = 0
        for entry in range(self.priors.offsets[child], self.priors.offsets[child + 1]):
            product += <double>self.priors.values[entry] * (
                self.products[self.priors.indices[entry]]
            )
        return product

    cdef double _scale_of_prior(self, int64_t child) noexcept nogil:
        """Return the factor of the sum of rows that is the direction of the prior."""
        cdef int64_t entry
        cdef double square = 0
        if self.priors is None:
            return 0
        if self.scales[child] >= 0:
            return self.scales[child]
        for entry in range(self.priors.offsets[child], self.priors.offsets[child + 1]):
            self._scatter(self.priors.indices[entry], self.priors.values[entry])
        for entry in range(self.priors.offsets[child], self.priors.offsets[child + 1]):
            square += self._square_and_clear(self.priors.indices[entry])
        self.scales[child] = <float>(
            self.prior_length / sqrt(square) if square > 0 else 0
        )
        return self.scales[child]

    cdef void _add_by_child(self, int64_t parent) noexcept nogil:
        """Add the violations of all changed rows, child by child."""
        cdef int64_t child, entry
        cdef int32_t row
        cdef double scale, intercept
        for child in range(self.child_offsets[parent], self.child_offsets[parent + 1]):
            if self.is_solved[child]:
                continue
            scale = self._scale_of_prior(child)
            intercept = 0
            if scale:
                for entry in range(
                    self.priors.offsets[child], self.priors.offsets[child + 1]
                ):
                    self._scatter(
                        self.priors.indices[entry], scale * self.priors.values[entry]
                    )
            for entry in range(
                self.duals.offsets[child], self.duals.offsets[child + 1]
            ):
                self._scatter(self.duals.indices[entry], self.duals.values[entry])
                intercept += self.duals.values[entry] * self.bias_square
            self._mark_positives(child)
            for entry in range(
                self.changed_rows.offsets[parent], self.changed_rows.offsets[parent + 1]
            ):
                row = self.changed_rows.indices[entry]
                self._add_violation(child, row, intercept + self._product(row))
            if scale:
                for entry in range(
                    self.priors.offsets[child], self.priors.offsets[child + 1]
                ):
                    self._clear(self.priors.indices[entry])
            for entry in range(
                self.duals.offsets[child], self.duals.offsets[child + 1]
            ):
                self._clear(self.duals.indices[entry])

    cdef void _add_violation(
        self, int64_t child, int32_t row, double margin
    ) noexcept nogil:
        """Add the violation of a row whose dual variable is 0, if it is."""
        cdef bint is_positive = self.of_child[row] == child
        cdef double violation = (margin if is_positive else -margin) - 1
        cdef double norm, diagonal, step
        if violation >= 0 or self._has_dual(child, row):
            return
        if is_positive:
            self.is_solved[child] = True
            return
        if self.row_values[row] == 0:
            return
        norm = self._norm(row) + self.bias_square
        diagonal = 0.5 / self.negative_cost if self.is_squared else 0
        step = -violation / (norm + diagonal)
        if not self.is_squared:
            step = min(step, self.negative_cost)
        self.measures[child, 1] = min(self.measures[child, 1], <float>violation)
        self.measures[child, 2] += <float>((norm + diagonal) * step * step)

    cdef bint _has_dual(self, int64_t child, int32_t row) noexcept nogil:
        cdef int64_t first = self.duals.offsets[child], position
        cdef int64_t stop = self.duals.offsets[child + 1]
        if first == stop:
            return False
        position = lower_bound(&self.duals.indices[0], first, stop, row)
        return position < stop and self.duals.indices[position] == row

    cdef void _judge(self, int64_t parent) noexcept nogil:
        """Solve the children that do not end by the measure of a sweep."""
        cdef int64_t child
        for child in range(self.child_offsets[parent], self.child_offsets[parent + 1]):
            if not self.is_solved[child]:
                self.is_solved[child] = not (
                    self.measures[child, 0] - self.measures[child, 1] <= self.tol
                    or self.measures[child, 2]
                    <= (self.tol / 2)**2 * self.measures[child, 3]
                )

    # Rows as dense vectors
    # ---------------------

    cdef void _scatter(self, int32_t row, double factor) noexcept nogil:
        cdef int64_t entry
        for entry in range(self.X.offsets[row], self.X.offsets[row + 1]):
            self.features[self.X.indices[entry]] += <float>(
                factor * self.X.values[entry]
            )

    cdef void _clear(self, int32_t row) noexcept nogil:
        cdef int64_t entry
        for entry in range(self.X.offsets[row], self.X.offsets[row + 1]):
            self.features[self.X.indices[entry]] = 0

    cdef double _product(self, int32_t row) noexcept nogil:
        cdef int64_t entry
        cdef double product = 0
        for entry in range(self.X.offsets[row], self.X.offsets[row + 1]):
            product += <double>self.X.values[entry] * (
                self.features[self.X.indices[entry]]
            )
        return product

    cdef double _norm(self, int32_t row) noexcept nogil:
        cdef int64_t entry
        cdef double square = 0
        for entry in range(self.X.offsets[row], self.X.offsets[row + 1]):
            square += <double>self.X.values[entry] * self.X.values[entry]
        return square

    cdef double _square_and_clear(self, int32_t row) noexcept nogil:
        cdef int64_t entry
        cdef double value, square = 0
        for entry in range(self.X.offsets[row], self.X.offsets[row + 1]):
            value = self.features[self.X.indices[entry]]
            square += value * value
            self.features[self.X.indices[entry]] = 0
        return square


def carry_duals(
    duals,                          # IN: Vectors of earlier nodes
    const int64_t[::1] origins,     # IN (n_nodes,): the earlier node, or -1
    const int64_t[::1] row_after,   # IN (n_rows before,): the present row, or -1
    int64_t[::1] offsets,           # OUT (n_nodes + 1,)
    int32_t[::1] rows,              # OUT: with room for those of all origins
    float[::1] values,              # OUT
):
    """Move dual variables to present nodes and rows.

    Returns
    -------
    list of int
        The nodes whose rows do not ascend.
    """
    cdef Vectors before = Vectors(duals)
    cdef int64_t node, entry, row, n = 0
    cdef bint ascends
    unsorted = []
    with nogil:
        offsets[0] = 0
        for node in range(origins.shape[0]):
            ascends = True
            if origins[node] >= 0:
                for entry in range(
                    before.offsets[origins[node]], before.offsets[origins[node] + 1]
                ):
                    row = row_after[before.indices[entry]]
                    if row >= 0:
                        ascends &= n == offsets[node] or rows[n - 1] < row
                        rows[n], values[n] = <int32_t>row, before.values[entry]
                        n += 1
            offsets[node + 1] = n
            if not ascends:
                with gil:
                    unsorted.append(node)
    return unsorted


cdef class Placed:
    """The arrays of `skxmr._training._warm_start.PlacedChildren`."""

    cdef const int64_t[::1] offsets, run_offsets, child_offsets
    cdef const int32_t[::1] features, children, numbers
    cdef const float[::1] weights

    def __init__(self, placed):
        level = placed.weights
        self.offsets, self.features = level.posting_offsets, level.features
        self.run_offsets = level.run_offsets
        self.children, self.weights = level.children, level.weights
        self.child_offsets, self.numbers = placed.child_offsets, placed.numbers

    cdef inline int32_t _number(self, int64_t parent, int64_t entry) noexcept nogil:
        """Return the number of the child of a weight in the merged parent, or -1."""
        return self.numbers[self.child_offsets[parent] + self.children[entry]]


def merge_children(const int64_t[::1] origins, kept, solved, merged):
    """Merge the weights of children that were kept with those that were solved.

    Parameters
    ----------
    origins : ndarray of shape (n_parents,), int64
        The parent in `kept` of each parent, or -1.
    kept, solved : skxmr._training._warm_start.PlacedChildren
        Kept ones of the earlier parents, solved ones of the present ones.
    merged : LinearWeights
        OUT: with room for all postings and weights of both.

    Returns
    -------
    tuple of int
        The number of postings and of weights.
    """
    cdef Placed old = Placed(kept), new = Placed(solved)
    cdef int64_t[::1] posting_offsets = merged.posting_offsets
    cdef int64_t[::1] run_offsets = merged.run_offsets
    cdef int32_t[::1] features = merged.features, children = merged.children
    cdef float[::1] weights = merged.weights
    cdef int64_t parent, origin, i, j, stop_i, stop_j, start, n = 0, n_weights = 0
    cdef int32_t feature
    cdef bint is_old, is_new
    with nogil:
        posting_offsets[0] = run_offsets[0] = 0
        for parent in range(origins.shape[0]):
            origin, i, stop_i = origins[parent], 0, 0
            if origin >= 0:
                i, stop_i = old.offsets[origin], old.offsets[origin + 1]
            j, stop_j = new.offsets[parent], new.offsets[parent + 1]
            while i < stop_i or j < stop_j:
                if j == stop_j or (i < stop_i and old.features[i] <= new.features[j]):
                    feature = old.features[i]
                else:
                    feature = new.features[j]
                is_old = i < stop_i and old.features[i] == feature
                is_new = j < stop_j and new.features[j] == feature
                start = n_weights
                n_weights = _merge_runs(
                    old, origin, i if is_old else -1,
                    new, parent, j if is_new else -1,
                    children, weights, n_weights,
                )
                i += is_old
                j += is_new
                if n_weights > start:
                    features[n] = feature
                    n += 1
                    run_offsets[n] = n_weights
            posting_offsets[parent + 1] = n
    return n, n_weights


cdef int64_t _merge_runs(
    Placed old, int64_t old_parent, int64_t i,
    Placed new, int64_t new_parent, int64_t j,
    int32_t[::1] children, float[::1] weights, int64_t n,
) noexcept nogil:
    """Append the weights of one feature; return where the next begin.

    `i` and `j` are its postings in both, or -1.
    """
    cdef int64_t a = 0, b = 0, stop_a = 0, stop_b = 0
    cdef int32_t kept
    if i >= 0:
        a, stop_a = old.run_offsets[i], old.run_offsets[i + 1]
    if j >= 0:
        b, stop_b = new.run_offsets[j], new.run_offsets[j + 1]
    while a < stop_a or b < stop_b:
        kept = old._number(old_parent, a) if a < stop_a else -1
        if a < stop_a and kept < 0:
            a += 1
        elif b == stop_b or (a < stop_a and kept < new._number(new_parent, b)):
            children[n], weights[n] = kept, old.weights[a]
            a += 1
            n += 1
        else:
            children[n], weights[n] = new._number(new_parent, b), new.weights[b]
            b += 1
            n += 1
    return n
