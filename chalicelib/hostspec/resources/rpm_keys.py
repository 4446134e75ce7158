"""The keys that rpm itself remembers.

dnf gives rpm the key of a repository when it first needs it. From then on rpm takes what is signed
with it from whatever repository, also when the file of the key is gone.
"""

from chalicelib.shell import (
    Node,
    assign,
    command,
    env,
    is_not_empty,
    output,
    pipe,
    q,
    redirect,
    ref,
    script,
    split,
    stderr_to,
    when,
)

__all__ = ["forget_key"]

_SAME = r"""
function letters(text) {  # all of an armored key that is its own: no headers, no checksum
    gsub(/-----[A-Z ]+-----|[A-Za-z]+: [^\n]*|=....(\n|$)|[\n\r]/, "", text)
    return text
}
BEGIN {
    while ((getline line < ENVIRON["berth_file"]) > 0) there = there line "\n"
    there = letters(there)
    if (there == "" || there == letters(ENVIRON["berth_key"])) exit
}
/^key\|/ { name = substr($0, 5); text = ""; next }
{ text = text $0 "\n" }
/^-----END/ && letters(text) == there { print name }
"""
_LISTED = "key|%{NAME}-%{VERSION}-%{RELEASE}\\n%{DESCRIPTION}\\n"


def forget_key(path: str, *, unless_it_is: str = "") -> Node:
    """Return the command by which rpm forgets the key that a file holds; also if it has none.

    A repository that has the same key gives it to rpm again.

    Args:
        path: of the file, armored, of one key.
        unless_it_is: a key that stays, which the file may hold already.
    """
    listed = redirect(command("rpm", "-q", "gpg-pubkey", "--qf", _LISTED), stderr_to("/dev/null"))
    same = env(command("awk", _SAME), berth_file=path, berth_key=unless_it_is)
    return script(
        assign("keys", output(pipe(listed, same))),
        when(is_not_empty(ref("keys")), q("rpm -e --allmatches {keys}", keys=split(ref("keys")))),
    )
