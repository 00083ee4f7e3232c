"""Detects the charset of unlabelled bytes from very little text.

Takes bytes that are neither UTF-8 nor UTF-16 nor ISO-2022, gives the name of a codec. Header fields without a label are
often three words long, where statistical detectors guess at random; here the shape of the bytes decides: which byte
ranges occur, whether they form pairs, and which letters are frequent in the languages that use them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from shared.lazy_pattern import lazy_compile

_SAMPLE = 8_192
_HIGH = lazy_compile(rb"[\x80-\xff]")
_WORD = lazy_compile(rb"[A-Za-z\x80-\xff]{1,64}")
_ENOUGH_PAIRS = 0.7

# The six most frequent letters of a script in each single-byte charset: they make up four tenths of any text.
_FREQUENT = {
    "cp1251": b"\xee\xe5\xe0\xe8\xed\xf2",
    "koi8_r": b"\xcf\xc5\xc1\xc9\xce\xd4",
    "iso8859_5": b"\xde\xd5\xd0\xd8\xdd\xe2",
    "cp866": b"\xae\xa5\xa0\xa8\xad\xe2",
    "cp1253": b"\xe1\xef\xe9\xe5\xf4\xed",
    "cp1255": b"\xe9\xe5\xe4\xec\xe0\xf8",
    "cp1256": b"\xc7\xe1\xed\xe3\xe4\xd1",
    "cp874": b"\xd2\xb9\xc3\xa1\xe0\xcd",
}
_CAPITALS = {
    "cp1251": range(0xC0, 0xE0),
    "koi8_r": range(0xE0, 0x100),
    "cp1255": range(0xC0, 0xE0),
    "iso8859_5": range(0xB0, 0xD0),
    "cp866": range(0x80, 0xA0),
}


def codec(data: bytes) -> str:
    """The likeliest codec of `data`; Western European without evidence for another."""
    first = _HIGH.search(data)
    if first is None:
        return "cp1252"
    start = max(0, data.rfind(b"\n", 0, first.start()) + 1, first.start() - 256)
    sample = data[start : start + _SAMPLE]
    high = bytes(byte for byte in sample if byte > 0x7F)
    if pairs := _double_byte(sample, high):
        return pairs
    if not _RUN.search(sample) or _is_latin(sample, high):
        return _latin(sample)
    return _single_byte(high)


def _double_byte(sample: bytes, high: bytes) -> str | None:
    """East Asian charsets: frequent characters, all of them in pairs of bytes."""
    scores = {name: score(sample) for name, score in _SCORES.items()}
    best = max(scores, key=lambda name: scores[name])
    low = sum(byte < 0xC0 for byte in high)
    # Alphabets use the upper half of the range nearly alone; the second bytes of pairs are spread evenly.
    if scores[best] < _ENOUGH_PAIRS or low * 8 < len(high) or _is_accident(sample, best):
        return None
    return best


_PAIRED = lazy_compile(r"[\u1100-\uffef]")
_NEXT_TO_LETTER = lazy_compile(r"[a-z][\u1100-\uffef]|[\u1100-\uffef][a-z]")
_FEW_CHARACTERS = 3


def _is_accident(sample: bytes, name: str) -> bool:
    """Whether a few accented letters and the ASCII letters behind them look like pairs of bytes."""
    text = _decoded(sample, name) or ""
    number = len(_PAIRED.findall(text))
    in_words = len(_NEXT_TO_LETTER.findall(text))
    has_ascii = sum(byte > 0x7F for byte in sample) < 2 * number
    return has_ascii and (number == 1 or in_words >= number or (in_words > 0 and number <= _FEW_CHARACTERS))


def _decoded(sample: bytes, name: str) -> str | None:
    """Strictly decoded; the sample may cut one character at its end."""
    for cut in (0, 1):
        try:
            return sample[: len(sample) - cut].decode(name)
        except UnicodeError:
            continue
    return None


def _shares(sample: bytes, name: str) -> Counter[str] | None:
    """Counts of what the non-ASCII characters are: `kana`, `hangul`, `narrow`, `sign`, `common` or `rare`."""
    text = _decoded(sample, name)
    if text is None:
        return None
    counts: Counter[str] = Counter()
    for char in text:
        if char > "\x7f":
            counts[_class(char, name)] += 1
    return counts


def _class(char: str, name: str) -> str:
    if "\u3040" <= char <= "\u30ff":
        return "kana"
    if "\uac00" <= char <= "\ud7a3":
        return "hangul"
    if "\uff61" <= char <= "\uff9f":
        return "narrow"
    if "\u4e00" <= char <= "\u9fff":
        pair = char.encode(name)
        return "common" if len(pair) == 2 and _is_common(pair, name) else "rare"
    return "sign" if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff60" else "other"


def _is_common(pair: bytes, name: str) -> bool:
    """Whether a character is of the first level of its standard."""
    if name == "gb18030":
        return 0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1
    if name == "big5hkscs":
        return 0xA4 <= pair[0] <= 0xC6
    return 0x88 <= pair[0] <= 0x97 if name == "cp932" else 0xB0 <= pair[0] <= 0xCF


def _share(counts: Counter[str] | None, good: tuple[str, ...], bad: tuple[str, ...]) -> float:
    total = counts.total() if counts else 0
    if not counts or not total:
        return 0.0
    return (sum(counts[kind] for kind in good) - sum(counts[kind] for kind in bad)) / total


def _chinese(sample: bytes, name: str, bad: tuple[str, ...], extra: float) -> float:
    counts = _shares(sample, name)
    return _share(counts, ("common", "sign"), bad) + extra if counts and counts["common"] else 0.0


def _japanese(sample: bytes, name: str, most_per_kana: int) -> float:
    counts = _shares(sample, name)
    if not counts or counts["kana"] * most_per_kana < counts.total():
        return 0.0
    return _share(counts, ("kana", "common", "sign"), ("narrow", "other")) + 0.02


def _korean(sample: bytes) -> float:
    counts = _shares(sample, "cp949")
    if not counts or counts["hangul"] < 5 or not _SYLLABLES.search(sample):
        return 0.0
    return _share(counts, ("hangul", "sign"), ("rare", "common", "other")) + 0.01


_SYLLABLES = lazy_compile(
    b"\xc0\xcc|\xb4\xd9|\xb4\xc2|\xc0\xc7|\xbf\xa1|\xc0\xbb|\xc7\xcf|\xb0\xed|\xb0\xa1|\xc1\xf6|\xb4\xcf|\xbc\xbc|\xbf\xe4|\xbd\xc0"
    b"|\xc7\xd1|\xb8\xa6|\xb5\xb5|\xb7\xce|\xbe\xee|\xb1\xe2|\xbb\xe7|\xbd\xc3|\xb5\xe5|\xbe\xc8"
)
"""The most frequent Korean syllables in EUC-KR; without one of them a text in pairs is Chinese."""
_SCORES: dict[str, Callable[[bytes], float]] = {
    "gb18030": lambda sample: _chinese(sample, "gb18030", ("kana", "other"), 0.0),
    # Every second byte of Big5 below 0xA1 rules out the charsets that are decided on equal scores.
    "big5hkscs": lambda sample: _chinese(sample, "big5hkscs", ("other",), -0.01),
    "cp932": lambda sample: _japanese(sample, "cp932", 6),
    "euc_jp": lambda sample: _japanese(sample, "euc_jp", 5),
    "cp949": _korean,
}


def is_likely(data: bytes, name: str) -> bool:
    """Whether most characters of `data` are frequent ones of the East Asian charset `name`; False for others."""
    if name not in {*_SCORES, "cp950"}:
        return False
    counts = _shares(data[:_SAMPLE], name)
    return _share(counts, ("common", "kana", "hangul", "sign"), ("other", "narrow")) >= _ENOUGH_PAIRS


def _is_latin(sample: bytes, high: bytes) -> bool:
    """Whether single accented letters occur among ASCII letters; in other alphabets, whole words are not ASCII."""
    inside = sum(
        len(found)
        for word in _WORD.findall(sample)
        if (found := _HIGH.findall(word)) and len(word) > len(found) and len(found) * 2 <= len(word) + 1
    )
    signs = sum(byte in _LONE_SIGNS for byte in high)
    return (inside + signs) * 2 > len(high)


_LONE_SIGNS = b"\x80\x82\x84\x85\x91\x92\x93\x94\x95\x96\x97\x99\xa0\xa3\xa7\xa9\xab\xae\xb0\xb4\xbb"


def _latin(sample: bytes) -> str:
    """Western, Central European or Turkish: the charset of the language that explains most letters.

    Western European needs no more evidence than the others; they need more than it.
    """
    scores: dict[str, float] = {}
    for name, languages in _LANGUAGES.items():
        text = _decoded(sample, name) or sample.decode(name, "replace")
        letters = sum(1 for char in text if char > "\x7f" and char not in _NEUTRAL)
        explained = (_explained(text, *language) for language in languages)
        scores[name] = max(explained) - letters - 2 * len(_OUT_OF_PLACE.findall(text)) - 2 * len(_CASE.findall(text))
    return max(_LANGUAGES, key=lambda name: scores[name])  # the first of equals


def _explained(text: str, letters: re.Pattern[str], spelling: re.Pattern[str] | None) -> float:
    """Twice the letters that the language has in such places, and a little for its frequent pairs of letters."""
    return 2 * len(letters.findall(text)) + (min(len(spelling.findall(text)), 3) / 2 if spelling else 0)


def _language(letters: str, spelling: str = "") -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    return lazy_compile(letters, re.IGNORECASE), lazy_compile(spelling, re.IGNORECASE) if spelling else None


_NEUTRAL = frozenset(
    "\u20ac\u201a\u201e\u2026\u2020\u2021\u2030\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u2122\xa0\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb"
)
"""Signs that are the same in these charsets."""
_OUT_OF_PLACE = lazy_compile(
    r"(?<=[^\W\d_])[\x80-\x9f\xa1-\xbf\u02c0-\u02ff\ufffd](?=[^\W\d_])|\xa3(?=[^\W\d_])|[\ufffd\x80-\x9f]"
)
"""Signs within words, and bytes without a meaning."""
_CASE = lazy_compile(r"\b[\u0105\u0107\u0119\u0142\u0144\u015b\u017a\u017c\u0111\u0159\u017e\u0161\xfe](?=[A-Z])")
_POLISH = _language("[ąćęłńóśźż]", r"sz|cz|rz|dz|(?:ni|wi|ki|si)e|ego\b|ow[aey]")
_CZECH = _language("[áčďéěíňóřšťúůýž]", r"ov|sk|sl|př|\bne|ní\b|ho\b")
_HUNGARIAN = _language("[áéíóöőúüű]", r"sz|gy|ny|zs|cs|tt|kk")
_CROATIAN = _language("[čćšžđ]", r"nj|lj|ij")
_LANGUAGES = {
    "cp1252": (
        _language("[äöüß]"),
        _language("[áéíóúñü]|¿(?=[^?]*\\?)|¡(?=[^!]*!)"),
        _language("[àâçéêëîïôûù]|œ(?=[iust])|è(?=[b-df-hj-np-tv-z])"),
        _language("[áâàçéêíóôúü]|ã(?=[oe]|s?\\b)|õ(?=e)"),
        _language("[àèéìòù]\\b"),
        _language("[åäöæøé]"),
        _language("\\bþ|(?<=\\w)ð|[áéíóúýæö]", r"\bvið|\bað"),
    ),
    "cp1250": (_POLISH, _CZECH, _HUNGARIAN, _CROATIAN),
    "iso8859_2": (_POLISH, _CZECH, _HUNGARIAN, _CROATIAN),
    "cp1254": (_language("[çöüâışİ]|(?<=\\w)ğ", r"l[ae]r|yor|dir\b|m[ae]k|niz|\bbir\b|\bve\b|\biçin|lm|ıl"),),
}
"""The languages of each charset: letters with their places, and frequent pairs. The likeliest charset comes first."""


_RUN = lazy_compile(rb"[\x80-\xff]{2}")


def _single_byte(high: bytes) -> str:
    """The alphabet whose frequent letters are the frequent bytes; capitals are rare in any text."""
    counts = Counter(high)

    def score(name: str) -> float:
        frequent = sum(counts[byte] for byte in _FREQUENT[name])
        capitals = sum(counts[byte] for byte in _CAPITALS.get(name, ()))
        return (frequent - capitals / 2) / len(high)

    best = max(_FREQUENT, key=score)
    enough = _ENOUGH_OF_UMLAUTS if all(byte in _UMLAUTS for byte in high) else 0.1
    return best if score(best) > enough else "cp1252"


_UMLAUTS = b"\xe4\xf6\xfc\xdf\xc4\xd6\xdc\xe5\xc5\xe6\xf8\xc6\xd8\xe9\xc9"
_ENOUGH_OF_UMLAUTS = 0.4
"""Words of these letters alone are often a list of umlauts, and seldom words of an alphabet."""
