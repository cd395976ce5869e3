"""Calls of the standard library, and uses of enumerations, by the type of their results."""

from __future__ import annotations

from typing import Final

__all__ = ["LIBRARY", "LIBRARY_STATEMENTS"]

LIBRARY: Final[dict[str, tuple[str, ...]]] = {
    "int": (
        "zlib.crc32(<str>.encode())",
        "Counter(<strs>).most_common(1)[0][1]",
        "Counter(<strs>)[<str>]",
        "functools.reduce(lambda a, b: a + b, <nums>, <int>)",
        "sum(b - a for a, b in itertools.pairwise(<nums>))",
        "len(list(itertools.combinations(<strs>, 2)))",
        "int(hashlib.md5(<str>.encode()).hexdigest()[:8], 16)",
        "int(hashlib.md5(<str>.encode()).hexdigest(), 16) % <int>",
        "int(hashlib.sha256(<str>.encode()).hexdigest(), 16) & 255",
        "int.from_bytes(hashlib.sha1(<str>.encode()).digest(), 'big') % 97",
        "int(<str> + 'ffffffffffffffff', 16) % 1000",
        "Code(r['status']).value",
        "Code(<int>) + 1",
        "Code.OK.value if <bool> else <int>",
        "1 if Level(r['level']) == Level.LOW else 2",
    ),
    "float": (
        "statistics.mean(<nums>)",
        "statistics.fmean(<nums>)",
        "statistics.median(<nums>)",
        "statistics.mean([<num>, <num>])",
        "int(hashlib.md5(<str>.encode()).hexdigest(), 16) / 2**128",
        "<date>.astimezone(BERLIN).timestamp()",
    ),
    "str": (
        "hashlib.sha256(<str>.encode()).hexdigest()[:8]",
        "hmac.new(b'key', <str>.encode(), 'sha256').hexdigest()",
        "str(uuid.uuid5(uuid.NAMESPACE_DNS, <str>))",
        "base64.b64encode(<str>.encode()).decode()",
        "base64.urlsafe_b64encode(<str>.encode()).decode().rstrip('=')",
        "base64.b64decode(<str>).decode()",
        "bytes.fromhex(<str>).decode()",
        "<str>.encode().hex()",
        "json.dumps(<any>)",
        "json.dumps(<any>, sort_keys=True, ensure_ascii=False)",
        "json.dumps(<dict>, separators=(',', ':'))",
        "urlsplit(<str>).netloc",
        "urlsplit(r['path']).path",
        "urlsplit(r['path']).query",
        "quote(<str>, safe='/')",
        "unquote(<str>)",
        "urlencode({'a': <any>, 'b': <int>})",
        "html.escape(<str>)",
        "<date>.astimezone(BERLIN).isoformat()",
        "<date>.astimezone(ZoneInfo('America/New_York')).strftime('%H:%M %z %Z')",
        "<date>.replace(tzinfo=ZONES_OF[r['level']]).isoformat()",
        "str(<date>.astimezone(BERLIN) + <delta>)",
        "str(datetime.strptime(<str>, '%b %d %H:%M'))",
        "Level(r['level']).name",
        "Level(<str>).value",
        "Level[<str>].value",
        "LEVEL_OF.get(<str>, Level.HIGH).name",
        "LEVEL_OF[r['level']].value",
        "Code(r['status']).name",
    ),
    "strs": (
        "list(itertools.chain(<strs>, <strs>))",
        "list(itertools.islice(<strs>, 2))",
        "[a for a, b in itertools.groupby(<strs>)]",
        "[a + b for a, b in itertools.pairwise(<strs>)]",
        "[a for a, _ in Counter(<strs>).most_common(2)]",
        "list(parse_qs(<str>))",
    ),
    "nums": (
        "list(itertools.accumulate(<nums>))",
        "list(itertools.islice(<nums>, 1, 3))",
        "[sum(b) for a, b in itertools.groupby(<nums>, key=lambda v: v // 2)]",
    ),
    "any": (
        "json.loads(<str>)",
        "json.loads(json.dumps(<any>))",
        "json.loads(<str> or '{}')",
        "parse_qs(<str>)",
        "parse_qs(r['path'].partition('?')[2])",
        "dict(Counter(<strs>))",
        "[[a, list(b)] for a, b in itertools.groupby(<strs>, key=len)]",
        "list(itertools.combinations(<strs>, 2))",
        "copy.copy(<dict>)",
        "<date>.astimezone(BERLIN)",
        "<date>.replace(tzinfo=BERLIN).astimezone(timezone.utc)",
        "int(hashlib.sha512(<str>.encode()).hexdigest(), 16)",
        "copy.deepcopy(r['meta'])",
        "Level.LOW",
        "urlsplit(<str>).port",
    ),
}
"""As RELATIVES in functions.py."""

LIBRARY_STATEMENTS: Final[tuple[str, ...]] = (
    "v = Level(r['level'])\nmatch v:\n  case Level.LOW: N = ['low']\n  case _: N = [v.value]",
    "v = LEVEL_OF.get(<str>)\nN = [v.name if v is not None else <str>]",
    "N = []\nfor w in ('%Y-%m-%d', '%d %b %Y', '%H:%M'):\n    try:\n"
    "        N.append(str(datetime.strptime(<str>, w)))\n    except ValueError:\n        continue",
    "v = int(hashlib.md5(<str>.encode()).hexdigest(), 16)\nN = [str(v % 10), KINDS[v % 4]]",
    "v = Counter()\nfor w in <strs>: v[w] += len(w)\nN = [w for w, _ in v.most_common()]",
    "v = Counter(<strs>)\nv.update(<strs>)\nN = sorted(v)",
    "v = defaultdict(list)\nfor w in <strs>: v[w[:1]].append(w)\nN = [str(w) for w in v.items()]",
    "v = defaultdict(int)\nfor w in <strs>: v[w] += 1\nN = sorted(v, key=v.get)",
    "import math as v\nN = [str(v.floor(<num>))]",
    "try: N = [Level(<str>).name]\nexcept ValueError as error: N = [str(error)]",
    "try: N = [str(int(<str>) // <int>)]\nexcept (ValueError, ArithmeticError) as e: N = [str(e)]",
    "try: N = [LEVELS[<str>], TABLE[<str>]]\nexcept KeyError as e: N = [str(e), e.args[0]]",
)
"""As STATEMENTS in functions.py."""
