r"""A bigram of the sentences that may be said, smoothed after Witten and Bell (1991).

Of a word :math:`v` that is followed by :math:`n_v` words, :math:`t_v` of them different,

.. math:: p(w | v) = \frac{c_{vw} + t_v \, p(w)}{n_v + t_v}:

what was never seen after it has the share :math:`t_v / (n_v + t_v)`, by how often it is said at
all.  Written in the back-off form of ARPA: a bigram that was seen has its probability, the others
have :math:`p(w)` times that share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["BEGIN", "END", "Bigram"]

BEGIN, END = "<s>", "</s>"
# Of the begin of a sentence, which follows nothing.
NEVER = -99.0


class Bigram:
    """A bigram model of sentences.

    Parameters
    ----------
    sentences : iterable of sequence of str
        Whatever may be said, in words.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        framed = [(BEGIN, *words, END) for words in sentences]
        self._unigrams = Counter(word for words in framed for word in words[1:])
        self._bigrams = Counter(pair for words in framed for pair in pairwise(words))
        self._followers = Counter(first for first, _ in self._bigrams)
        self._occurrences = Counter({BEGIN: len(framed), **self._unigrams})

    @property
    def words(self) -> list[str]:
        """All words, without the ends of sentences."""
        return sorted(self._unigrams.keys() - {END})

    def unigram(self, word: str) -> float:
        """Return how often a word, or the end of a sentence, is said."""
        return self._unigrams[word] / self._unigrams.total()

    def backoff(self, word: str) -> float:
        """Return how likely a word is followed by one that never followed it, by the unigram."""
        return self._followers[word] / (self._occurrences[word] + self._followers[word])

    def probability(self, word: str, after: str) -> float:
        """Return the probability of a word after another."""
        seen = self._bigrams[after, word] / (self._occurrences[after] + self._followers[after])
        return seen + self.backoff(after) * self.unigram(word)

    def arpa(self) -> str:
        """Return the model in the format of ARPA."""
        unigrams = [f"{NEVER} {BEGIN} {math.log10(self.backoff(BEGIN)):.5f}"]
        for word in self.words:
            p, back = self.unigram(word), self.backoff(word)
            unigrams.append(f"{math.log10(p):.5f} {word} {math.log10(back):.5f}")
        unigrams.append(f"{math.log10(self.unigram(END)):.5f} {END}")
        bigrams = [
            f"{math.log10(self.probability(word, after)):.5f} {after} {word}"
            for after, word in sorted(self._bigrams)
        ]
        head = ["\\data\\", f"ngram 1={len(unigrams)}", f"ngram 2={len(bigrams)}", ""]
        body = ["\\1-grams:", *unigrams, "", "\\2-grams:", *bigrams, "", "\\end\\", ""]
        return "\n".join(head + body)
