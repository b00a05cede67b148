"""Words of a text in any script, as ROUGE counts them.

The usual tokenizer of ROUGE keeps a–z and 0–9 and drops every other letter: "café" becomes "caf", Greek nothing
at all. Here a word is a run of letters and digits of any script with their combining marks. Of ASCII text the
words are exactly those of `rouge_score`, whose Porter stemmer is used as well.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache

# Scripts without spaces between words, where every character counts as a word: Thai and Lao, Burmese, Khmer,
# Japanese and Chinese. Korean has spaces.
SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
INVISIBLE: dict[int, None] = {0x00AD: None, 0x200C: None, 0x200D: None}  # soft hyphen, (non-)joiner: in words
STEMMED_FROM = 4  # letters; rouge_score leaves shorter words as they are

_ASCII_WORD = re.compile("[a-z0-9]+")


def split_words(text: str, *, stem: bool = True) -> list[str]:
    """The words of a text, for comparison: without case, punctuation and, of English words, endings.

    Case is folded ("STRASSE" equals "straße"), and letters with accents are the same however they are encoded
    (Unicode's NFC). In scripts without spaces every character is a word. Emoji and symbols are none.

    Args:
        text: any string.
        stem: whether to apply Porter's stemmer to words of a–z and 0–9 with more than three characters; words
            with other letters are never stemmed, since the rules are English.

    Returns:
        The words in order; empty for a text without any.

    Example:
        >>> split_words("Two cafés were closing!")
        ['two', 'cafés', 'were', 'close']
        >>> split_words("東京 Tower", stem=False)
        ['東', '京', 'tower']
    """
    if text.isascii():
        words = _ASCII_WORD.findall(text.lower())
    else:
        folded = unicodedata.normalize("NFC", text).translate(INVISIBLE).casefold()
        words = _word_pattern().findall(unicodedata.normalize("NFC", folded))
    if not stem:
        return words
    return [_stem(word) if len(word) >= STEMMED_FROM and word.isascii() else word for word in words]


def piece_ends(text: str) -> list[int]:
    """Where each piece of a text ends: what stands between spaces, or one character of a script without them.

    Example:
        >>> piece_ends("non-blocking client, 東京")
        [12, 20, 22, 23]
    """
    return [match.end() for match in _piece_pattern().finditer(text)]


@cache
def _marks() -> str:
    """Every combining mark, for use within a character class of `re`, which does not know them."""
    pairs = [chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    return "".join(pairs) + "\U000e0100-\U000e01ef"


@cache
def _word_pattern() -> re.Pattern[str]:
    marks = _marks()
    return re.compile(rf"(?=[^\W_])[{SPACELESS}][{marks}]*|(?:[^\W_{SPACELESS}][{marks}]*)+")


@cache
def _piece_pattern() -> re.Pattern[str]:
    return re.compile(rf"[{SPACELESS}][{_marks()}]*|[^\s{SPACELESS}]+")


@cache
def _porter() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer  # here: seconds of import that only scoring needs

    return PorterStemmer().stem


@lru_cache(maxsize=1 << 17)
def _stem(word: str) -> str:
    return _porter()(word)
