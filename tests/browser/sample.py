"""Events whose every name and number is known."""

from datetime import datetime, timedelta, timezone

FIRST = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
DAYS = 28
# The range in which they lie, as an address asks for it.
RANGE = "from=2026-03-02&to=2026-03-30"

# On these days nothing was sent by anyone: a gap.
SILENT = {10, 11}

LONG = "long-" + "x" * 195
NAMES = ["<b>bold</b>", '=cmd|"/c calc"!A1', "\"'`${quoted}&amp;", "emoji-🎉👩‍🔬", "rtl-\u202eתיבה\u202c-end", LONG]


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def launch(moment: datetime, spec: str, **other) -> dict:
    return {
        "timestamp": text(moment),
        "schema": "binderhub.jupyter.org/launch",
        "version": 3,
        "provider": "GitHub",
        "spec": spec,
        "status": "success",
        "origin": "mybinder.org",
        **other,
    }


def action(moment: datetime, username: str, action="start", servername="") -> dict:
    return {
        "__timestamp__": text(moment),
        "__schema__": "hub.jupyter.org/server-action",
        "__schema_version__": 1,
        "__metadata_version__": 1,
        "action": action,
        "username": username,
        "servername": servername,
    }


def small() -> list[dict]:
    """Four weeks: each day n launches by three origins and n users out of 40, n growing; two silent days; one unknown schema."""
    events = []
    for day in (day for day in range(DAYS) if day not in SILENT):
        morning = FIRST + timedelta(days=day)
        for number in range(day % 7 + 3):
            later = morning + timedelta(seconds=17 * number, microseconds=number + 1)
            origin = ["mybinder.org", "gke.mybinder.org", "ovh.mybinder.org"][number % 3]
            provider = "GitLab" if number % 4 == 3 else "GitHub"
            events.append(launch(later, f"owner{number % 5}/repository/main", origin=origin, provider=provider))
            user = f"user-{(3 * day + number) % 40}"
            events.append(action(later, user))
            events.append(action(later + timedelta(hours=2), user, "stop"))
    events.append({"schema": "example.org/not-registered", "version": 1, "timestamp": text(FIRST)})
    return events


def hostile() -> list[dict]:
    """Every name of an emitter's events, with every hostile value."""
    events = []
    for day in range(DAYS):
        for number, name in enumerate(NAMES):
            moment = FIRST + timedelta(days=day, seconds=31 * number, microseconds=number + 1)
            for again in range(len(NAMES) - number):
                later = moment + timedelta(seconds=again)
                events.append(launch(later, f"{name}/{name}/main", origin=name, provider="GitHub"))
            events.append(action(moment, name, servername=name))
    for name in NAMES:
        events.append({"schema": name, "version": name, "timestamp": text(FIRST), "x": name})
        events.append(launch(FIRST, "a/b/main", provider=name))
    return events
