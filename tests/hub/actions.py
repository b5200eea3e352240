"""What hubscope keeps of a hub's users, held against what they did."""

from program import until
from serve import Serve

# From a hub's answer until its event can be asked for: at once, on a slow machine a little later.
ARRIVAL_SECONDS_MAX = 30


def actions_of(hubscope: Serve, user: str) -> list[tuple[str, str]]:
    """What is kept of a user: actions and servers, in the order in which they came."""
    name = user.replace("'", "''")
    rows = hubscope.query(f"SELECT action, servername FROM server_actions WHERE username = '{name}' ORDER BY position")
    return [(row["action"], row["servername"]) for row in rows]


def arrived(hubscope: Serve, user: str, actions: list[tuple[str, str]]):
    """Waits for the last of a user's actions, and compares all of them."""
    until(lambda: actions_of(hubscope, user)[-1:] == actions[-1:], ARRIVAL_SECONDS_MAX, f"{actions} of {user}")
    assert actions_of(hubscope, user) == actions
