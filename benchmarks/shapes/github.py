"""Events like those of the GitHub Archive: seven shapes interleaved, 0.4 to 4.5 KB."""

from collections.abc import Callable
from typing import Any, Final

from benchmarks.shapes.source import RandomSource, write_json

_API: Final = "https://api.github.com"
_SITE: Final = "https://github.com"
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_ASSOCIATIONS: Final = ("NONE", "NONE", "CONTRIBUTOR", "MEMBER", "OWNER")
_LABELS: Final = (("bug", "d73a4a"), ("enhancement", "a2eeef"), ("good first issue", "7057ff"))
_REACTIONS: Final = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
_USER_URLS: Final = (
    ("followers_url", "followers"),
    ("following_url", "following{/other_user}"),
    ("gists_url", "gists{/gist_id}"),
    ("starred_url", "starred{/owner}{/repo}"),
    ("subscriptions_url", "subscriptions"),
    ("organizations_url", "orgs"),
    ("repos_url", "repos"),
    ("events_url", "events{/privacy}"),
    ("received_events_url", "received_events"),
)
_MESSAGE_ENDS: Final = (
    *("",) * 12,
    "\n",
    "\n\nFixes #1284",
    "\n\nCo-authored-by: José Núñez <jose@example.com>",
    ' "quoted"',
    " C:\\temp\\log.txt",
    " ✅",
    " 修复错误",
    " 🚀",
)

Json = dict[str, Any]


class _Event:
    """What several members of an event repeat."""

    def __init__(self, source: RandomSource) -> None:
        self.source = source
        self.time = source.tick(120).strftime(_TIME)
        self.login = _login(source)
        self.owner = self.login if source.chance(0.6) else _login(source)
        self.repository = f"{self.owner}/{source.word()}-{source.word()}"
        self.repository_id = source.between(10_000_000, 999_999_999)
        self.url = f"{_API}/repos/{self.repository}"


def _login(source: RandomSource) -> str:
    return source.word() + source.choice(("", "-", "X")) + source.word() + str(source.below(1000))


def _text(source: RandomSource, mean: int) -> str:
    return source.text(mean).strip() + source.choice(_MESSAGE_ENDS)


def _node_id(source: RandomSource, prefix: str) -> str:
    return f"{prefix}_kw{source.hexadecimal(16)}"


def _user(source: RandomSource, login: str) -> Json:
    number = source.between(1000, 190_000_000)
    url = f"{_API}/users/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": _node_id(source, "U"),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{_SITE}/{login}",
        **{name: f"{url}/{end}" for name, end in _USER_URLS},
        "type": "User",
        "site_admin": False,
    }


def _push(event: _Event) -> Json:
    source = event.source
    count = 1 if source.chance(0.7) else source.between(2, 6)
    return {
        "repository_id": event.repository_id,
        "push_id": source.between(10_000_000_000, 29_999_999_999),
        "size": count,
        "distinct_size": count,
        "ref": f"refs/heads/{source.choice(('main', 'main', 'master', 'gh-pages', 'dev'))}",
        "head": source.hexadecimal(40),
        "before": source.hexadecimal(40),
        "commits": [_commit(event) for _ in range(count)],
    }


def _commit(event: _Event) -> Json:
    source = event.source
    digest = source.hexadecimal(40)
    return {
        "sha": digest,
        "author": {
            "email": f"{source.below(10**8)}+{event.login}@users.noreply.github.com",
            "name": source.choice((event.login, "github-actions[bot]", "Łukasz Müller", "李明")),
        },
        "message": _text(source, 60),
        "distinct": source.chance(0.95),
        "url": f"{event.url}/commits/{digest}",
    }


def _create(event: _Event) -> Json:
    source = event.source
    kind = source.choice(("branch", "branch", "repository", "tag"))
    return {
        "ref": None if kind == "repository" else f"{source.word()}/{source.word()}",
        "ref_type": kind,
        "master_branch": "main",
        "description": _text(source, 50) if source.chance(0.6) else None,
        "pusher_type": "user",
    }


def _delete(event: _Event) -> Json:
    source = event.source
    reference = f"dependabot/npm_and_yarn/{source.word()}-{source.below(9)}.{source.below(20)}.0"
    return {"ref": reference, "ref_type": "branch", "pusher_type": "user"}


def _watch(event: _Event) -> Json:
    return {"action": "started"}


def _issue(event: _Event, state: str) -> Json:
    source = event.source
    number = source.between(1, 20_000)
    url = f"{event.url}/issues/{number}"
    chosen = source.sample(_LABELS, source.below(3))
    return {
        "url": url,
        "html_url": f"{_SITE}/{event.repository}/issues/{number}",
        "id": source.between(10**9, 3 * 10**9),
        "node_id": _node_id(source, "I"),
        "number": number,
        "title": _text(source, 50),
        "user": _user(source, event.login),
        "labels": [
            {
                "id": source.between(10**8, 10**10),
                "name": name,
                "color": color,
                "default": name != "good first issue",
                "description": None,
            }
            for name, color in chosen
        ],
        "state": state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": source.below(40),
        "created_at": event.time,
        "updated_at": event.time,
        "closed_at": event.time if state == "closed" else None,
        "author_association": source.choice(_ASSOCIATIONS),
        "active_lock_reason": None,
        "body": _text(source, 200) if source.chance(0.9) else None,
        "reactions": {
            "url": f"{url}/reactions",
            "total_count": 0,
            **dict.fromkeys(_REACTIONS, 0),
        },
        "state_reason": "completed" if state == "closed" else None,
    }


def _issues(event: _Event) -> Json:
    action = event.source.choice(("opened", "opened", "closed"))
    return {"action": action, "issue": _issue(event, "closed" if action == "closed" else "open")}


def _comment(event: _Event) -> Json:
    source = event.source
    issue = _issue(event, "open")
    number = source.between(10**9, 3 * 10**9)
    return {
        "action": "created",
        "issue": issue,
        "comment": {
            "url": f"{event.url}/issues/comments/{number}",
            "html_url": f"{issue['html_url']}#issuecomment-{number}",
            "issue_url": issue["url"],
            "id": number,
            "user": _user(source, event.login),
            "created_at": event.time,
            "updated_at": event.time,
            "author_association": source.choice(_ASSOCIATIONS),
            "body": _text(source, 160),
            "performed_via_github_app": None,
        },
    }


def _pull_request(event: _Event) -> Json:
    source = event.source
    number = source.between(1, 20_000)
    repository = {"id": event.repository_id, "url": event.url, "name": event.repository}
    return {
        "action": source.choice(("opened", "closed", "merged", "synchronize")),
        "number": number,
        "pull_request": {
            "url": f"{event.url}/pulls/{number}",
            "id": source.between(10**9, 3 * 10**9),
            "number": number,
            "title": _text(source, 50),
            "draft": source.chance(0.1),
            "head": {
                "ref": f"{source.word()}-{source.word()}",
                "sha": source.hexadecimal(40),
                "repo": repository,
            },
            "base": {"ref": "main", "sha": source.hexadecimal(40), "repo": repository},
            "merged": source.chance(0.3),
            "mergeable": source.choice((True, False, None)),
            "additions": source.below(2000),
            "deletions": source.below(500),
            "changed_files": source.between(1, 60),
        },
    }


_Payload = Callable[[_Event], Json]

# Weighted by repetition, roughly as often as GitHub has them.
_TYPES: Final[tuple[tuple[str, _Payload], ...]] = (
    *(("PushEvent", _push),) * 10,
    *(("CreateEvent", _create),) * 2,
    *(("PullRequestEvent", _pull_request),) * 2,
    *(("IssueCommentEvent", _comment),) * 2,
    *(("WatchEvent", _watch),) * 2,
    ("IssuesEvent", _issues),
    ("DeleteEvent", _delete),
)


def _avatar(number: int) -> str:
    return f"https://avatars.githubusercontent.com/u/{number}?"


def github(source: RandomSource) -> str:
    """Return a record with its LF; as in the archive, its id is a string."""
    event = _Event(source)
    name, payload = source.choice(_TYPES)
    actor, organization = source.below(190_000_000), source.below(190_000_000)
    record: Json = {
        "id": str(44_000_000_000 + source.clock_ms % 10**8 * 100 + source.below(100)),
        "type": name,
        "actor": {
            "id": actor,
            "login": event.login,
            "display_login": event.login,
            "gravatar_id": "",
            "url": f"{_API}/users/{event.login}",
            "avatar_url": _avatar(actor),
        },
        "repo": {"id": event.repository_id, "name": event.repository, "url": event.url},
        "payload": payload(event),
        "public": True,
        "created_at": event.time,
    }
    if event.owner != event.login and source.chance(0.6):
        record["org"] = {
            "id": organization,
            "login": event.owner,
            "gravatar_id": "",
            "url": f"{_API}/orgs/{event.owner}",
            "avatar_url": _avatar(organization),
        }
    return write_json(record) + "\n"
