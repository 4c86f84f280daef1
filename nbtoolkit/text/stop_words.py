"""Stop words: words that describe no image. Visually meaningful ones (old, small, full, two …) are not listed.

The English list is nbtoolkit's own; those of other languages are of the package ``stopwordsiso``.
"""

from __future__ import annotations

import unicodedata

import regex
import stopwordsiso

from ..errors import TokenError

ENGLISH = frozenset(
    """
    about above after again against all also although always among and another any anybody anyone anything are
    around aren because been before being below between both but can cannot could couldn did didn does doesn doing
    don done down during each either else ever every everyone everything few for from further get gets getting goes
    going gone got had hadn has hasn have haven having her here hers herself him himself his how however indeed
    instead into isn its itself just let like likely many may maybe mean might mine more most much must mustn myself
    near need neither never nor not nothing now off often once one only onto other others otherwise our ours
    ourselves out over own per perhaps quite rather really same seem seems several shall shan she should shouldn
    since some somebody someone something somewhat still such than that the their theirs them themselves then there
    these they thing things this those though through thus together too toward towards under until unto upon use
    used using various very via was wasn way well were weren what whatever when where whereas whether which while
    who whoever whom whose why will with within without won would wouldn yes yet you your yours yourself image
    picture photo
    """.split()
)

# Words of the package's lists that an image shows, and so no stop words here: numbers from two, sizes, people, things.
_VISIBLE = frozenset(
    """
    人 人们 大 小 光 日 月 二 三 四 五 六 七 八 九
    два две двух три четыре пять шесть семь восемь девять десять большой маленький белый русский старый новый
    низко вечер вода война глаз голова город дверь дело день деньги дом дорога друг жена женщина земля книга комната
    лежать лицо люди мать машина мир москва народ нога ночь окно отец писать плечо пол работа работать ребенок россия
    рука ряд свет сидеть смотреть стол сторона стоять страна улица утро человек
    ден заспал мокър нов нова нови ново два двама две три човек юмрук
    घर दो 아이 둘 셋 넷 다섯 여섯 일곱 여덟 아홉
    """.split()
)
_CAPTIONS = frozenset(  # "image", "picture" and "photo", as in the English list
    """
    图 图片 图像 照片 相片 画面 圖 圖片 圖像 画像 写真 изображение фото фотография снимок зображення фотографія изображение
    снимка 사진 이미지 그림 ภาพ รูป รูปภาพ तस्वीर चित्र फोटो صورة صوره تصویر عکس תמונה εικόνα φωτογραφία
    """.split()
)


def language_stop_words(*languages: str) -> frozenset[str]:
    """Stop words of languages, lower case, in composed form (NFC).

    Parameters
    ----------
    *languages
        Codes of ISO 639-1, such as "de" or "zh"; "en" gives nbtoolkit's own list.

    Raises
    ------
    TokenError
        A language without a list; the message names the others.

    Examples
    --------
    >>> "und" in language_stop_words("de"), "的" in language_stop_words("zh"), "人" in language_stop_words("zh")
    (True, True, False)
    """
    words: set[str] = set()
    for language in languages:
        if not stopwordsiso.has_lang(language):
            codes = ", ".join(sorted(stopwordsiso.langs()))
            raise TokenError(f"The language is {language!r}; expected a code of ISO 639-1 with a list: {codes}.")
        words |= ENGLISH if language == "en" else stopwordsiso.stopwords(language)
    return frozenset(w for w in (unicodedata.normalize("NFC", w.lower()) for w in words) if w not in _VISIBLE)


def _other_scripts() -> frozenset[str]:
    """Stop words of all languages that are not written in Latin letters; so they are no words of another language."""
    return frozenset(
        w
        for w in language_stop_words(*stopwordsiso.langs())
        if regex.fullmatch(r"[\p{L}\p{M}--\p{Latin}]+", w, regex.V1)
    )


# English, and the scripts that tell their languages by themselves: a German "man" or "war" would be an English noun.
STOP_WORDS = ENGLISH | _other_scripts() | _CAPTIONS
