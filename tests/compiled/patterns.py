"""Regular expressions as people write them, and random ones."""

from __future__ import annotations

import random

__all__ = ["HARD_PATTERNS", "PATTERNS", "TEXTS", "random_pattern", "random_text"]

PATTERNS: list[str] = [
    # E-mail, URLs, hosts.
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"^[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$",
    r"(?P<user>[^@\s]+)@(?P<domain>[^@\s]+)",
    r"(?i)\b[A-Z0-9._%+-]+@[A-Z0-9.-]+\.[A-Z]{2,}\b",
    r"https?://[^\s/$.?#].[^\s]*",
    r"^(https?)://([^/:]+)(?::(\d+))?(/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$",
    r"^(?:(?P<scheme>[a-z][a-z0-9+.-]*):)?(?://(?P<host>[^/?#]*))?(?P<path>[^?#]*)",
    r"(?:www\.)?([a-z0-9-]+)\.(?:com|org|net|io)\b",
    r"[?&]([^=&]+)=([^&]*)",
    r"([^=&?]+)=([^&]*)(?:&|$)",
    r"%[0-9a-fA-F]{2}",
    r"(?<=://)[^/:]+",
    r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$",
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,6}",
    # Addresses and identifiers.
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$",
    r"(\d+)\.(\d+)\.(\d+)\.(\d+)",
    r"(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
    r"([0-9A-Fa-f]{2}[:-]){5}([0-9A-Fa-f]{2})",
    r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?=/|$)",
    r"/[0-9]+(?=/|$)",
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"(?i)^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$",
    r"\b[0-9a-f]{40}\b",
    r"\b[a-f0-9]{7,40}\b",
    r"^[A-Z]{2}\d{2}[A-Z0-9]{1,30}$",
    r"\b[A-Z]{2,5}-\d+\b",
    r"#(?:[0-9a-fA-F]{3}){1,2}\b",
    r"^#?([a-f0-9]{2})([a-f0-9]{2})([a-f0-9]{2})$",
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    r"[^a-z0-9]+",
    r"^[A-Za-z_]\w*$",
    r"(?<!^)(?=[A-Z])",
    r"([a-z0-9])([A-Z])",
    r"(.)([A-Z][a-z]+)",
    r"_([a-z])",
    r"\bid_(\w+)\b",
    # Dates and times.
    r"(\d{4})-(\d{2})-(\d{2})",
    r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])$",
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2,4})",
    r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$",
    r"(\d{2})/(\w{3})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-]\d{4})",
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b",
    r"(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2}",
    r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?",
    r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min|h)\b",
    # Logs.
    r'^(\S+) \S+ (\S+) \[([^\]]+)\] "([A-Z]+) ([^ "]+) ?([^"]*)" (\d{3}) (\d+|-)',
    r'"(?P<method>GET|POST|PUT|DELETE|PATCH|HEAD) (?P<path>[^ ]+) HTTP/\d\.\d"',
    r"\[(?P<level>DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)\]",
    r"(?i)\b(?:error|fail(?:ed|ure)?|exception|timeout)\b",
    r"^(?P<time>\S+ \S+) (?P<level>[A-Z]+) +(?P<logger>[\w.]+): (?P<message>.*)$",
    r'(\w+)=("[^"]*"|\S+)',
    r'(?P<key>[\w.]+)\s*[:=]\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s,;]+)',
    r'File "([^"]+)", line (\d+), in (\w+)',
    r"^\s+at ([\w.$]+)\(([\w.]+):(\d+)\)",
    r"(\w+Error|\w+Exception): (.*)",
    r"pid[=: ]+(\d+)",
    r"took (\d+(?:\.\d+)?)\s?(ms|s)",
    r"user[_ ]?id[=:]\s*['\"]?(\w+)",
    r"<(\d+)>(\w{3}\s+\d+ \d\d:\d\d:\d\d) (\S+) ([^:\[]+)(?:\[(\d+)\])?: (.*)",
    r"^(.*?):(\d+):(?:(\d+):)? (error|warning|note): (.*)$",
    # Secrets and personal data.
    r"\b(?:\d[ -]*?){13,16}\b",
    r"\b4[0-9]{12}(?:[0-9]{3})?\b",
    r"\b(\d{4})[ -]?(\d{4})[ -]?(\d{4})[ -]?(\d{4})\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"(?i)(password|passwd|pwd|secret|token|api[_-]?key)(\s*[:=]\s*)(\S+)",
    r"(?i)bearer\s+[a-z0-9._~+/-]+=*",
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
    r"AKIA[0-9A-Z]{16}",
    r"(?<=token=)[^&\s]+",
    r"(\w)[\w.+-]*(\w@)",
    r"\+?\d{1,3}?[-. ]?\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}",
    r"^\+[1-9]\d{6,14}$",
    r"\(\d{3}\) ?\d{3}-\d{4}",
    r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",
    r"^\d{5}(?:-\d{4})?$",
    # Numbers and units.
    r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?",
    r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$",
    r"(?<!\d)\d{3}(?!\d)",
    r"(?<=\d)(?=(?:\d{3})+$)",
    r"(\d)(?=(\d{3})+(?!\d))",
    r"\$\s?(\d{1,3}(?:,\d{3})*(?:\.\d{2})?)",
    r"(\d+)\s*(?:x|×)\s*(\d+)",
    r"(\d+(?:\.\d+)?)\s*(k|M|G)?i?B\b",
    r"0x[0-9A-Fa-f]+|0b[01]+|\d+",
    r"^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$",
    r"(\d+)%",
    # Text.
    r"\s+",
    r"^\s+|\s+$",
    r"[ \t]+$",
    r"(?m)^[ \t]*#.*$",
    r"(?m)^(\w+):\s*(.*)$",
    r"\b(\w+)\s+\1\b",
    r"(?i)\b(\w+)\s+\1\b",
    r"\b\w{5,}\b",
    r"\b[A-Z][a-z]+(?:\s[A-Z][a-z]+)+\b",
    r"[^\w\s]",
    r"[^\x00-\x7F]+",
    r"[\u4e00-\u9fff]+",
    r"[äöüß]",
    r"(?i)[äöü]\w*",
    r"(?i)straße|strasse",
    r"[A-Za-zÀ-ÖØ-öø-ÿ]+",
    r"[,;|]\s*",
    r"\W+",
    r"\d+|\D+",
    r"(\w)\1+",
    r"^(.)(.)?.*\2\1$",
    r'"([^"\\]*(?:\\.[^"\\]*)*)"',
    r"'(?:[^']|'')*'",
    r"\{\{\s*(\w+)\s*\}\}",
    r"\$\{?(\w+)\}?",
    r"<([a-z]+)([^>]*)>(.*?)</\1>",
    r"<[^>]+>",
    r"<!--.*?-->",
    r"(?s)/\*.*?\*/",
    r"//[^\n]*",
    r"\[([^\]]+)\]\(([^)]+)\)",
    r"\*\*(.+?)\*\*",
    r"^(#{1,6})\s+(.*)",
    r"(?x) (\d+) \s* # the number\n ([a-z]+) # the unit",
    r"(?P<quote>['\"])(.*?)(?P=quote)",
    r"(?i:get|post) /(?-i:API)",
    # User agents and products.
    r"(?i)(?:bot|crawl|spider|slurp)",
    r"(Firefox|Chrome|Safari|Edg(?:e|A|iOS)?)/(\d+)",
    r"Mozilla/\d\.\d \(([^)]+)\)",
    r"(?:Windows NT|Mac OS X|Linux|Android|iPhone)(?: ([\d._]+))?",
    r"^/api/v(\d+)/(\w+)(?:/(\d+))?/?$",
    r"^/(?:users|orders)/(?P<id>\d+)(?:/(?P<rest>.*))?$",
    r"\.(?:js|css|png|jpe?g|gif|svg|ico)(?:\?.*)?$",
    r"(?:^|/)([^/]+?)(?:\.([^./]+))?$",
    r"^(.*/)?([^/]*)$",
    r"\\(.)",
    r"^[A-Z]{3}-\d{4}(?:-[A-Z])?$",
    r"^(?:[A-Z]\d|\d[A-Z])+$",
    r"^(?:SKU|ART)[-_ ]?(\d{3,})$",
    # What asks more of the matcher.
    r"(?:a|b*)*c",
    r"(|a)+",
    r"(a|)+b",
    r"()*",
    r"(?:(a)|b)*",
    r"(?:(a)|(b))*?c",
    r"(a)?(?(1)b|c)",
    r"^(<)?\w+(?(1)>|$)",
    r"(?=(a+))\1b",
    r"(?=(\w+))\w*?(?<=a)",
    # What comes next decides, or does not.
    r"\d+(?=,|$)",
    r"\w(?=[\s.]|\Z)",
    r"a(?=b|bc|é|$)",
    r"\w+(?=(?:,|(?i:X)|$))",
    r"\w(?=(,)|$)",
    r"\w(?=\w(b)|c)",
    r"\w(?=[b\d](?:a|())|b)",
    r"\w(?=|,)",
    r"\w(?=[^\W\d])",
    r"(?=a|b)(?=[b-d]|$)?\w",
    r"(?=.)|(?=$)",
    r"(?>a+)b",
    r"(?>a|ab)c",
    r"a++b",
    r"[^,]*+,",
    r"a?+a",
    r"(?<=(a)|(b))c",
    r"(?<=a\b)-",
    r"(?<!\w)-(?!\w)",
    r"(?!.*\.\.)[\w.]+",
    r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z]).{6,}$",
    r"x*",
    r"x*?",
    r"\b",
    r"\B",
    r"$",
    r"^",
    r"(?m)^",
    r"(?m)$",
    r"\A\w|\w\Z",
    r".",
    r"(?s).",
    r"",
    r"(?i)k+",
    r"(?i)[^k]",
    r"(?ai)[k-s]+",
    r"(?a)\w+",
    r"(?i)[B-a]",
    r"(?:ab{2,3}){2,3}",
    r"(?:a{1,2}b??){2}c",
    r"(?:\w{3}-?){40}",
    r"(?!)",
    r"(?:a(?!))?b",
]

HARD_PATTERNS: list[str] = [
    r"(a|a)*b",
    r"(a|aa)+$",
    r"(.*)(.*)(.*)x",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(a+)+$",
    r"(?:a?){10}a{10}",
    r"(a*?)*?b",
    r"(a*)*",
    r"(a*)+",
    r"(a{0,2}){3,}b",
]
"""Patterns that take re long for texts of some length."""

TEXTS: list[str] = [
    "",
    "\n",
    "a",
    "a\n",
    "ab aab aaab b",
    "aaaaaaaaaaaa",
    "aaaaaaaaaaaaaab",
    "abcabcabc ac bc c",
    "xxaxx",
    "Mail john.doe+x@example.co.uk or JANE@EXAMPLE.ORG today",
    "https://user:pw@www.example.com:8080/a/b.html?x=1&y=%20z#top",
    "see http://example.org, www.test.io and (ftp://x)",
    '192.168.0.1 - frank [10/Oct/2025:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    "/users/4711/orders/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "/api/v2/items/17/",
    "/static/app.min.js?v=3",
    "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
    "2026-11-29T02:20:33.125+01:00 INFO forstcore.core: took 12.5 ms",
    "29.11.2026 and 1/2/99, Nov 29, 13:37:01.5",
    'level=info msg="hello \\"big\\" world" took=12ms user_id=abc token=s3cret&x',
    "[ERROR] ValueError: could not convert\n    at com.acme.Main.run(Main.java:42)",
    'Traceback:\n  File "/srv/app.py", line 12, in main\nKeyError: 1',
    "<34>Oct 11 22:14:15 mymachine su[42]: 'su root' failed for lonvick",
    "card 4111 1111 1111 1111, ssn 078-05-1120, tel (555) 123-4567 or +1 555-123-4567",
    "password: hunter2, api_key = abc.def; Authorization: Bearer eyJhbGciOi.J9.x-y_z==",
    "AKIAIOSFODNN7EXAMPLE DE89370400440532013000 SW1A 1AA 12345-6789",
    "the the quick Quick brown fox jumps over 1234567 lazy dogs $1,234.50 -1.5e-3 0x1F",
    "JIRA-123 fixed in v1.2.3-rc.1+build.5 at 640x480 px, 12 KiB, 99%",
    "camelCaseHTTPServer snake_case_name kebab-case-name ABC-1234-X A1B2 SKU-0042",
    "  leading and trailing \t",
    "# comment\nkey: value\n  # other\nlast: line\n",
    "<b>bold</b> <i x='1'>it</i> <!-- no --> **strong** [text](link) {{ name }} ${HOME} /* c */",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1 Googlebot/2.1",
    "main.c:12:5: error: expected ';' before '}' token",
    "'it''s' \"quoted\" \\n (nested (parens)) a,b;c | d",
    "1d 2h 3m 4s 5 min",
    "#fff #A1B2C3 a1b2c3 00:1B:44:11:3A:B7 fe80:0:0:0:0:0:0:1",
    "Müller aus Köln, Straße 5, STRASSE, Übergröße ÄÖÜ",
    "東京 and 北京 2026年",
    "K\u212a\u017fs\u0130\u0131i ß\u1e9e",
    "٣٤ ½ ² \u2003wide\u00a0spaces\u2028line",
    "😀 smile 👍🏽 x😀y",
    "naïve café - résumé\n",
    "aXbXc\naXbX\n\n",
    "Passw0rd abcDEF1",
    "-x - y- -1",
]

_LETTERS = ["a", "b", "c", "1", "\\n", "_", "-", "A", "ab", "\\."]
_WIDE_LETTERS = ["a", "b", "é", "ß", "K", "\u017f", "Ж", "😀", "1", "-"]
_CLASSES = [
    *(".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "[^ab1]"),
    *("[a\\d]", "[\\w-]", "[^\\W_]", "[A-Z]", "[B-a]", "[é-ю]", "[^é]", "[\\dК-я]"),
]
_PLACES = ["^", "$", "\\b", "\\B", "\\A", "\\Z"]
_COUNTS = ["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}", "{,3}", "{1,3}", "{3}"]


class _Writer:
    """Writes one random pattern."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator
        self._letters = _LETTERS if generator.random() < 0.7 else _WIDE_LETTERS
        self._groups = 0
        self._closed: list[int] = []
        self._suffixes = ["", "", "?"] if generator.random() < 0.7 else ["", "?", "+"]

    def alternatives(self, depth: int) -> str:
        count = self._random.choice([1, 1, 1, 2, 2, 3])
        return "|".join(self.sequence(depth) for _ in range(count))

    def sequence(self, depth: int) -> str:
        text = ""
        for _ in range(self._random.choice([0, 1, 1, 1, 2, 2, 3])):
            text += self._atom(depth)
            if self._random.random() < 0.4:
                text += self._random.choice(_COUNTS) + self._random.choice(self._suffixes)
        return text

    def _group(self, depth: int) -> str:
        self._groups += 1
        number = self._groups
        inner = self.alternatives(depth)
        self._closed.append(number)
        return f"({inner})"

    def _atom(self, depth: int) -> str:
        choice = self._random.choice
        kind = self._random.random()
        if kind < 0.34 or (depth == 0 and kind > 0.54):
            return choice(self._letters)
        if kind < 0.43:
            return choice(_CLASSES)
        if kind < 0.48:
            return choice(_PLACES)
        if kind < 0.54:
            return f"(?:\\{choice(self._closed)})" if self._closed else choice(self._letters)
        if kind < 0.70:
            return self._group(depth - 1)
        if kind < 0.80:
            return f"(?:{self.alternatives(depth - 1)})"
        if kind < 0.90:
            return f"(?{choice('=!>')}{self.alternatives(depth - 1)})"
        if kind < 0.94:
            wide = choice(["", ".", "[ab]", "\\b"])
            return f"(?<{choice('=!')}{choice(self._letters)}{wide})"
        if kind < 0.97:
            return f"(?{choice('ism')}:{self.alternatives(depth - 1)})"
        if self._closed:
            yes, no = self.sequence(depth - 1), self.sequence(depth - 1)
            return f"(?({choice(self._closed)}){yes}|{no})"
        return choice(self._letters)


def random_pattern(generator: random.Random) -> str:
    """Return a pattern, which may be one that re refuses."""
    return _Writer(generator).alternatives(3)


def random_text(generator: random.Random) -> str:
    """Return a text of few different characters, so that patterns match it."""
    letters = "aaabbc1\n_-A." + ("éßKſЖж😀ı٣" if generator.random() < 0.3 else "")
    return "".join(generator.choice(letters) for _ in range(generator.randrange(13)))
