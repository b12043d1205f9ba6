"""Explanations of lexical scores, and corrections of texts."""

from typing import Any

from skxmr._base._state import reads
from skxmr._inputs._columns import InvalidInputError
from skxmr._inputs._label_choice import check_labels
from skxmr._inputs._validation import check_documents
from skxmr._lexical._explanation import LexicalExplanation

__all__ = ["ExplainsWords"]


class ExplainsWords:
    """Mixin of `LexicalRanker`: what a score comes from, and what a text may mean."""

    _state: Any
    _fitted: Any
    _search: Any

    @reads
    def explain(self, text: str, label: object) -> LexicalExplanation:
        """Explain the score of a label by the terms that it shares with a text.

        Parameters
        ----------
        text : str
            The query.
        label : object
            A column index of an indicator, or a class.

        Returns
        -------
        LexicalExplanation
            The terms and what each adds to the score that `rank` gives the label. Use
            ``print`` to show it.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If `text` is not a string.
        ValueError
            If the label does not exist.
        """
        search = self._search()
        (text,) = check_documents([text], "text")
        (column,) = check_labels([label], self._state.known, "label").tolist()
        return search.explain(text, label, column)

    @reads
    def did_you_mean(self, text: str) -> str | None:
        """Correct the words of a text that no label has.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        str or None
            The normalised words of the text, with each unknown one replaced by the most
            frequent word that is one edit away, if there is one; None if nothing is
            replaced.

        Raises
        ------
        NotFittedError
            If called before `fit`.
        TypeError
            If `text` is not a string.
        ValueError
            If words are not among the terms.

        Examples
        --------
        >>> from skxmr import LexicalRanker
        >>> ranker = LexicalRanker().fit(["green tea", "rye bread"], [0, 1])
        >>> ranker.did_you_mean("gren tea")
        'green tea'
        """
        (text,) = check_documents([text], "text")
        expansion = self._fitted().terms.word_expansion
        if expansion is None:
            raise InvalidInputError("did_you_mean needs the analyzer 'word'.")
        return expansion.correct(text)
