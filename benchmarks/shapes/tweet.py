"""Statuses like those of Twitter's API: 2 to 6 KB, text in several scripts, a third retweets."""

from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.shapes.source import RandomSource, write_ascii_json, write_json

_TIME: Final = "%a %b %d %H:%M:%S +0000 %Y"
_FOREIGN: Final = (
    "東京 今日 天気 ありがとう おはよう 新しい 写真 電車 会社 明日 すごい 音楽",
    "сегодня погода спасибо новый город работа завтра музыка фото дождь",
    "mañana canción corazón año fútbol después también día gracias",
)
_EMOJI: Final = ("😀", "🚀", "❤️", "😂", "👍🏽", "🎉", "☕", "✨")
_BREAKS: Final = ("\n", "\n\n", ' "', '" ', " &amp; ", "… ")
_NAMES: Final = ("Ana María", "佐藤 健", "John Smith", "Ольга ☀️", "news bot", "Zoë Q. 🎧", "karl")
_SOURCES: Final = (
    '<a href="https://mobile.twitter.com" rel="nofollow">Twitter Web App</a>',
    '<a href="http://twitter.com/download/iphone" rel="nofollow">Twitter for iPhone</a>',
    '<a href="http://twitter.com/download/android" rel="nofollow">Twitter for Android</a>',
    '<a href="https://ifttt.com" rel="nofollow">IFTTT</a>',
)
_LANGUAGES: Final = ("en", "en", "en", "ja", "ru", "es", "und")
_IMAGES: Final = "https://pbs.twimg.com"

Json = dict[str, Any]


class _Text:
    """Text in the making, with the entities in it and their places."""

    def __init__(self, source: RandomSource) -> None:
        self._source = source
        self.text = ""
        self.entities: dict[str, list[Json]] = {
            "hashtags": [],
            "symbols": [],
            "user_mentions": [],
            "urls": [],
        }

    def words(self) -> None:
        source = self._source
        if source.chance(0.3):
            words = source.choice(_FOREIGN).split()
            self.text += " ".join(source.choice(words) for _ in range(source.between(3, 12)))
        else:
            self.text += source.text(70).strip()
        if source.chance(0.4):
            self.text += " " + source.choice(_EMOJI) * source.between(1, 3)
        self.text += source.choice(_BREAKS) if source.chance(0.4) else " "

    def hashtag(self) -> None:
        name = self._source.word() + self._source.word().title()
        self._entity("hashtags", f"#{name}", {"text": name})

    def mention(self) -> None:
        source = self._source
        name, number = _screen_name(source), _user_id(source)
        known = {"screen_name": name, "name": source.choice(_NAMES)}
        self._entity("user_mentions", f"@{name}", {**known, "id": number, "id_str": str(number)})

    def link(self) -> None:
        source = self._source
        short = f"https://t.co/{source.hexadecimal(10)}"
        page = f"example.org/{source.word()}/{source.hexadecimal(8)}"
        known = {"url": short, "expanded_url": f"https://www.{page}", "display_url": page[:24]}
        self._entity("urls", short, known)

    def _entity(self, kind: str, shown: str, known: Json) -> None:
        start = len(self.text)
        self.entities[kind].append({**known, "indices": [start, start + len(shown)]})
        self.text += shown + " "


def _screen_name(source: RandomSource) -> str:
    return f"{source.word()}_{source.word()}{source.below(100)}"


def _user_id(source: RandomSource) -> int:
    return source.between(10_000, 1_400_000_000)


def _date(source: RandomSource) -> str:
    seconds = source.between(1_200_000_000, 1_700_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def _color(source: RandomSource) -> str:
    return source.hexadecimal(6).upper()


def _user(source: RandomSource) -> Json:
    number = _user_id(source)
    image = f"{_IMAGES}/profile_images/{source.between(10**17, 10**18)}/{source.hexadecimal(8)}"
    user: Json = {
        "id": number,
        "id_str": str(number),
        "name": source.choice(_NAMES),
        "screen_name": _screen_name(source),
        "location": source.choice(("", "", "東京都", "São Paulo, Brasil", "London")),
        "description": source.text(90).strip() + source.choice(_EMOJI),
        "url": None,
        "entities": {"description": {"urls": []}},
        "protected": False,
        "followers_count": int(source.exponential(2000)),
        "friends_count": int(source.exponential(600)),
        "listed_count": int(source.exponential(20)),
        "created_at": _date(source),
        "favourites_count": int(source.exponential(4000)),
        "utc_offset": None,
        "time_zone": None,
        "geo_enabled": source.chance(0.3),
        "verified": source.chance(0.03),
        "statuses_count": int(source.exponential(9000)),
        "lang": None,
        "contributors_enabled": False,
        "is_translator": False,
        "is_translation_enabled": False,
        "profile_background_color": _color(source),
        "profile_background_image_url": "http://abs.twimg.com/images/themes/theme1/bg.png",
        "profile_background_image_url_https": "https://abs.twimg.com/images/themes/theme1/bg.png",
        "profile_background_tile": source.chance(0.2),
        "profile_image_url": image.replace("https:", "http:") + "_normal.jpg",
        "profile_image_url_https": image + "_normal.jpg",
        "profile_link_color": _color(source),
        "profile_sidebar_border_color": _color(source),
        "profile_sidebar_fill_color": _color(source),
        "profile_text_color": "333333",
        "profile_use_background_image": True,
        "has_extended_profile": source.chance(0.4),
        "default_profile": source.chance(0.6),
        "default_profile_image": False,
        "following": None,
        "follow_request_sent": None,
        "notifications": None,
        "translator_type": "none",
    }
    if source.chance(0.6):
        user["profile_banner_url"] = f"{_IMAGES}/profile_banners/{number}/{source.below(10**10)}"
    return user


def _text(source: RandomSource) -> _Text:
    text = _Text(source)
    if source.chance(0.35):
        text.mention()
    text.words()
    for _ in range(source.below(3)):
        text.hashtag()
    if source.chance(0.4):
        text.words()
    if source.chance(0.4):
        text.link()
    return text


def _photo(source: RandomSource, at: int) -> Json:
    number = source.between(10**17, 10**18)
    return {
        "id": number,
        "id_str": str(number),
        "indices": [at, at + 23],
        "media_url_https": f"{_IMAGES}/media/{source.hexadecimal(15)}.jpg",
        "url": f"https://t.co/{source.hexadecimal(10)}",
        "type": "photo",
        "sizes": {
            name: {"w": width, "h": source.between(100, width), "resize": resize}
            for name, width, resize in (
                ("thumb", 150, "crop"),
                ("small", 680, "fit"),
                ("medium", 1200, "fit"),
                ("large", 2048, "fit"),
            )
        },
    }


def _place(source: RandomSource) -> Json:
    west, south = source.between(-180_000, 179_000) / 1000, source.between(-80_000, 79_000) / 1000
    corners = [[west, south], [west, south + 0.5], [west + 0.5, south + 0.5], [west + 0.5, south]]
    return {
        "id": source.hexadecimal(16),
        "place_type": "city",
        "name": source.choice(("Málaga", "大阪市", "Leeds")),
        "country_code": source.choice(("ES", "JP", "GB")),
        "contained_within": [],
        "bounding_box": {"type": "Polygon", "coordinates": [corners]},
        "attributes": {},
    }


def _status(source: RandomSource, retweeted: Json | None = None) -> Json:
    # An id of Twitter holds its time in the upper bits.
    number = str((source.clock_ms - 1_288_834_974_657 << 22) + source.below(1 << 22))
    text = _text(source)
    entities: Json = {**text.entities}
    if source.chance(0.2):
        entities["media"] = [_photo(source, len(text.text))]
    reply = entities["user_mentions"] if source.chance(0.5) else []
    status: Json = {
        "created_at": datetime.fromtimestamp(source.clock_ms // 1000, UTC).strftime(_TIME),
        "id": number,
        "id_str": number,
        "text": text.text.strip(),
        "truncated": False,
        "entities": entities,
        "source": source.choice(_SOURCES),
        "in_reply_to_status_id": None,
        "in_reply_to_status_id_str": None,
        "in_reply_to_user_id": reply[0]["id"] if reply else None,
        "in_reply_to_user_id_str": reply[0]["id_str"] if reply else None,
        "in_reply_to_screen_name": reply[0]["screen_name"] if reply else None,
        "user": _user(source),
        "geo": None,
        "coordinates": None,
        "place": _place(source) if source.chance(0.05) else None,
        "contributors": None,
    }
    if retweeted is not None:
        status["retweeted_status"] = retweeted
    status |= {
        "is_quote_status": False,
        "retweet_count": int(source.exponential(40)),
        "favorite_count": int(source.exponential(90)),
        "favorited": False,
        "retweeted": False,
        "lang": source.choice(_LANGUAGES),
    }
    if entities["urls"] or "media" in entities:
        status["possibly_sensitive"] = source.chance(0.02)
    return status


def tweet(source: RandomSource) -> str:
    """Return a record with its LF.

    Its `id` is a string, like `id_str`: a number would be no valid id for the built-in processor.
    """
    source.tick(40)
    retweeted = _status(source) if source.chance(0.33) else None
    write = write_ascii_json if source.chance(0.2) else write_json
    return write(_status(source, retweeted)) + "\n"
