"""The awk programs of `edits`: constants, for mawk, gawk and busybox awk alike.

A program marks the lines that are its own (`mine`). The text takes the place of the first of them,
or comes after the line numbered `place` if there is none; the others go. Values are strings of
`ENVIRON`: they get `""` appended, as what looks like a number would be compared as one. All lines
are held, because what comes last is known only then, and what has no final newline keeps that.
"""

__all__ = ["BLOCK", "LINES", "OPTION"]

_REPLACE = r"""
{ line[NR] = $0 "" }
END {
    count = NR
    open = ENVIRON["BERTH_CLOSED"] + 0 == 1 ? 0 : count
    put = ENVIRON["BERTH_PUT"] + 0
    text = ENVIRON["BERTH_TEXT"] ""
    place = count
    mark()
    for (i = count; i >= 1; i--) if (i in mine) first = i
    if (put && !first && place == 0) printf "%s\n", text
    for (i = 1; i <= count; i++) {
        after = put && !first && place == i
        if (!(i in mine)) printf "%s%s", line[i], i == open && !after ? "" : "\n"
        else if (put && first == i) printf "%s%s", text, i == open && line[i] == text ? "" : "\n"
        if (after) printf "%s\n", text
    }
}
"""

LINES = (
    r"""
function chosen(text,    parts) {
    if (how == "start") return index(text, wanted) == 1
    if (how == "line") return text == wanted
    sub(/^[ \t]+/, "", text)
    if (substr(text, 1, 1) == "#") return 0
    return split(text, parts, /[ \t]+/) >= field && parts[field] "" == wanted
}
function mark(    i) {
    how = ENVIRON["BERTH_HOW"] ""
    wanted = ENVIRON["BERTH_WANTED"] ""
    field = ENVIRON["BERTH_FIELD"] + 0
    for (i = 1; i <= count; i++) if (chosen(line[i]) || put && line[i] == text) mine[i] = 1
}
"""
    + _REPLACE
)
"""Lines that are chosen, or are the text. `HOW`: `start`, `line` or `field` with its number."""

OPTION = (
    r"""
function trimmed(text) {
    sub(/^[ \t\r]+/, "", text)
    sub(/[ \t\r]+$/, "", text)
    return text
}
function mark(    i, plain, at, section, option, inside, found) {
    section = ENVIRON["BERTH_SECTION"] ""
    option = ENVIRON["BERTH_OPTION"] ""
    inside = section == ""
    found = inside
    if (inside) place = 0
    for (i = 1; i <= count; i++) {
        plain = trimmed(line[i])
        if (plain ~ /^\[.*\]$/) {
            inside = section != "" && substr(plain, 2, length(plain) - 2) == section
            if (inside && !found) { found = 1; place = i; latest = i }
            else latest = 0
        } else if (inside && plain != "" && plain !~ /^[#;]/) {
            if (latest || section == "") place = i
            at = index(plain, "=")
            if (at && trimmed(substr(plain, 1, at - 1)) == option) own(i, trimmed(substr(plain, at + 1)))
        }
    }
    if (!found) text = (count && trimmed(line[count]) != "" ? "\n" : "") "[" section "]\n" text
}
function own(i, value) {
    mine[i] = 1
    if (!owned && value == ENVIRON["BERTH_VALUE"] "") text = line[i]
    owned = 1
}
"""
    + _REPLACE
)
"""An option of a section; what says the value already is kept as it is written."""

BLOCK = (
    r"""
function mark(    i, begin, end, from) {
    begin = ENVIRON["BERTH_BEGIN"] ""
    end = ENVIRON["BERTH_END"] ""
    for (i = 1; i <= count; i++) {
        if (line[i] == begin) { mine[i] = 1; from = i }
        else if (line[i] == end) {
            mine[i] = 1
            for (; from && from < i; from++) mine[from] = 1
            from = 0
        }
    }
}
"""
    + _REPLACE
)
"""What is between two marks, with them. A mark without its other is mine, what follows it is not."""
