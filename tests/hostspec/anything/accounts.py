"""Users, groups, and what is said of them, as Hypothesis draws them."""

import base64

from hypothesis import strategies as st

from chalicelib.hostspec.resources import Cron, Group, Limit, SshKey, SudoRule, User
from chalicelib.shell import Secret, q
from tests.hostspec.anything.choices import (
    ANYBODY,
    GROUPS,
    HOMES,
    NAMES,
    OWNERS,
    THEIR_GROUPS,
    USERS,
    Made,
    maybe_absent,
)

__all__ = [
    "LIMITED",
    "any_cron",
    "any_group",
    "any_limit",
    "any_ssh_key",
    "any_sudo_rule",
    "any_user",
]

LIMITED = ("*", "root", *USERS, f"@{GROUPS[0]}")


def any_group() -> Made:
    # Below those that groups without a number get.
    numbers = st.sampled_from((None, 851, 852))
    return maybe_absent(Group, group=st.just(GROUPS[0]), gid=numbers) | maybe_absent(
        Group, group=st.just(GROUPS[1])
    )


def any_user() -> Made:
    def user(name: str) -> Made:
        return maybe_absent(
            User,
            user=st.just(name),
            home=st.just(f"{HOMES}/{name}"),
            groups=st.sampled_from(((), GROUPS[:1], GROUPS)),
            exact_groups=st.booleans(),
            group=st.sampled_from(("", *GROUPS)),
            comment=st.sampled_from(("", "One of any")),
            locked=st.booleans(),
            login_shell=st.sampled_from(("", "/bin/bash")),
            with_home=st.booleans(),
        )

    return st.one_of(*map(user, USERS))


def any_limit() -> Made:
    return maybe_absent(
        Limit,
        domain=st.sampled_from(LIMITED),
        item=st.just("nofile"),
        soft=st.integers(1, 9999),
    )


def any_cron() -> Made:
    return maybe_absent(
        Cron,
        id=NAMES,
        run=st.sampled_from(["true", q("date {form}", form="+%F")]),
        minute=st.sampled_from(("*", "*/5", "0,30")),
        user=st.sampled_from(ANYBODY),
        environment=st.sampled_from([{}, {"MAILTO": "me"}, {"KEY": Secret("swordfish")}]),
    )


def any_ssh_key() -> Made:
    def key(seed: int, comment: str) -> str:
        kind = b"ssh-ed25519"
        parts = (kind, bytes([seed] * 32))
        blob = b"".join(len(each).to_bytes(4, "big") + each for each in parts)
        return f"{kind.decode()} {base64.b64encode(blob).decode()} {comment}".strip()

    def key_of(name: str) -> Made:
        return maybe_absent(
            SshKey,
            user=st.just(name),
            home=st.just(f"{HOMES}/{name}"),
            key=st.builds(key, st.integers(1, 2), st.sampled_from(("", "one", "two"))),
            options=st.sampled_from(((), ("no-pty",))),
        )

    return st.one_of(*map(key_of, USERS))


def any_sudo_rule() -> Made:
    rule = {
        "rule": NAMES,
        "commands": st.sampled_from((("ALL",), ("/bin/true", "/bin/id -u"))),
        "nopasswd": st.booleans(),
        "as_user": st.sampled_from(("root", *USERS)),
    }
    return maybe_absent(SudoRule, **rule, user=OWNERS) | maybe_absent(
        SudoRule, **rule, group=THEIR_GROUPS
    )
