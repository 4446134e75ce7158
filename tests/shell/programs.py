"""Programs of the DSL at random: trees of every statement, with words of every kind."""

from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from chalicelib.shell import (
    Expression,
    Node,
    Word,
    all_of,
    any_of,
    argument_count,
    arguments,
    assign,
    background,
    branch,
    break_,
    case,
    compute,
    document,
    duplicate,
    equal,
    exit_,
    expanding_document,
    for_arguments,
    for_each,
    for_lines,
    function,
    group,
    if_,
    is_empty,
    is_not_empty,
    join,
    last_status,
    length,
    not_,
    not_equal,
    num,
    num_ge,
    num_lt,
    otherwise,
    output,
    pipe,
    positional,
    print_lines,
    print_text,
    println,
    q,
    q_chain,
    q_or,
    redirect,
    ref,
    return_,
    script,
    stderr_to,
    subshell,
    unless,
    until,
    when,
    while_,
    write_to,
)
from chalicelib.shell.words import Joined, Parameter

T = TypeVar("T")
_Nodes = st.SearchStrategy[Node]
_NAMES = st.sampled_from(["a", "b", "c"])
_TEXTS = st.one_of(
    st.sampled_from(["", "x", "a b", "-n", "$a", "it's", '"', "}", "\\", "*", "a\nb\n", "<(", "é"]),
    st.text(st.sampled_from("ab'\"\\$`(){}<>|&;* \n"), max_size=4),
)
_FORMS = st.sampled_from(
    ["if_unset", "if_empty", "assign_if_unset", "assign_if_empty", "if_set", "if_not_empty"]
)
_OPERATORS = st.sampled_from(
    ["+", "-", "*", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^", "&&", "||"]
)
_SMALL = st.integers(-50, 50)


def _choose(*strategies: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """As `one_of`, which would flatten the tree into one list and so draw leaves most of the time."""
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


@cache
def expressions() -> st.SearchStrategy[Expression]:
    """Expressions that neither overflow nor divide by zero."""
    leaf = st.one_of(_SMALL.map(num), st.sampled_from([num("n"), num("nowhere"), num("#")]))

    def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        return st.one_of(
            st.builds(lambda left, op, right: left.op(op, right), inner, _OPERATORS, inner),
            st.builds(lambda left, right: left / right, inner, st.integers(1, 9)),
            st.builds(lambda left, right: left % right, inner, st.integers(1, 9)),
            inner.map(lambda value: -value),
        )

    return st.recursive(leaf, larger, max_leaves=5)


@cache
def words(depth: int) -> st.SearchStrategy[object]:
    """Words, with commands in them down to a depth."""
    leaf = _choose(
        _TEXTS,
        _NAMES.map(ref),
        _NAMES.map(length),
        st.sampled_from([positional(1), argument_count()]),
        expressions().map(compute),
    )
    formed = st.builds(lambda name, form, word: ref(name, **{form: word}), _NAMES, _FORMS, leaf)
    several = [
        leaf,
        formed,
        st.lists(_choose(leaf, formed), max_size=3).map(lambda each: join(*each)),
    ]
    if depth > 0:
        inner = programs(depth - 1)
        several += [
            inner.map(output),
            st.builds(
                lambda name, form, node: ref(name, **{form: output(node)}), _NAMES, _FORMS, inner
            ),
        ]
    return _choose(*several)


@cache
def _simple(depth: int) -> st.SearchStrategy[Node]:
    word = words(depth)
    plain: list[Word] = [ref("a"), ref("b"), compute(num("n") + 1), length("c")]
    return _choose(
        word.map(println),
        st.lists(word, max_size=2).map(lambda each: print_lines(*each, arguments(), ".")),
        st.builds(print_text, word, word),
        st.builds(assign, _NAMES, word),
        st.sampled_from([q("true"), q("false"), q("cat"), script()]),
        st.builds(equal, word, word),
        st.builds(not_equal, word, word),
        word.map(is_empty),
        word.map(is_not_empty),
        st.builds(
            lambda left, right: num_lt(compute(left), compute(right)), expressions(), expressions()
        ),
        st.builds(lambda left, right: num_ge(compute(left), right), expressions(), _SMALL),
        st.builds(
            lambda text, part: redirect("cat", expanding_document(text, part, text)),
            _TEXTS,
            st.sampled_from(plain),
        ),
        _TEXTS.map(lambda text: redirect("cat", document(text))),
        st.integers(0, 255).map(lambda status: subshell(exit_(status))),
    )


@cache
def programs(depth: int) -> st.SearchStrategy[Node]:
    """Programs of at most this depth."""
    if depth <= 0:
        return _simple(0)
    inner = programs(depth - 1)
    some = st.lists(inner, max_size=3)
    return _choose(
        _simple(depth - 1), *_lists(inner, some), *_flow(inner, some), *_loops(depth, inner, some)
    )


def _lists(inner: _Nodes, some: st.SearchStrategy[list[Node]]) -> list[_Nodes]:
    return [
        some.map(lambda each: q(*each)),
        some.map(lambda each: q_chain(*each)),
        some.map(lambda each: q_or(*each)),
        some.map(lambda each: all_of(*each)),
        some.map(lambda each: any_of(*each)),
        st.lists(inner, min_size=1, max_size=3).map(_pipe),
        some.map(lambda each: group(*each)),
        some.map(lambda each: subshell(*each)),
        inner.map(not_),
        inner.map(lambda each: script(each, println(last_status()))),
        inner.map(lambda each: script(background(each), "wait")),
        inner.map(lambda each: redirect(redirect(each, duplicate(1, 2)), duplicate(2, 1))),
        inner.map(lambda each: redirect(each, stderr_to("/dev/null"), duplicate(1, 2))),
        inner.map(lambda each: redirect(each, write_to("/dev/null"))),
        st.builds(lambda each, text: redirect(each, document(text)), inner, _TEXTS),
    ]


def _flow(inner: _Nodes, some: st.SearchStrategy[list[Node]]) -> list[_Nodes]:
    return [
        st.builds(
            lambda asked, then, more, last: if_(asked, then, elif_=more, else_=last),
            inner,
            some,
            st.lists(st.tuples(inner, inner), max_size=2),
            st.none() | some,
        ),
        st.builds(lambda asked, body: when(asked, *body), inner, some),
        st.builds(lambda asked, body: unless(asked, *body), inner, some),
    ]


def _loops(depth: int, inner: _Nodes, some: st.SearchStrategy[list[Node]]) -> list[_Nodes]:
    word = words(depth - 1)
    pattern = word.filter(_is_pattern)
    few = st.lists(word, max_size=2)
    last = st.lists(some.map(lambda each: otherwise(*each)), max_size=1)
    counted = st.sampled_from(["while", "until"])
    return [
        st.builds(
            lambda value, first, body, last: case(value, branch([first, "x"], *body), *last),
            word,
            pattern,
            some,
            last,
        ),
        st.builds(lambda name, each, body: for_each(name, each, *body), _NAMES, few, some),
        st.builds(lambda name, body: for_arguments(name, *body), _NAMES, some),
        st.builds(lambda name, lines, body: for_lines(name, lines, *body), _NAMES, inner, some),
        st.builds(_counted, counted, some, st.integers(0, 2), st.booleans()),
        st.builds(_function, some, few, st.none() | st.integers(0, 255)),
    ]


def _is_pattern(word: object) -> bool:
    parts = word.parts if isinstance(word, Joined) else [word]
    return not any(isinstance(each, Parameter) and "=" in each.operator for each in parts)


def _pipe(stages: list[Node]) -> Node:
    """Each stage reads all its input, so that none dies of a closed pipe."""
    first, *rest = stages
    return pipe(first, *[script("cat", each) for each in rest])


def _counted(kind: str, body: list[Node], rounds: int, breaking: bool) -> Node:  # noqa: FBT001 - drawn
    """A loop that ends: in a subshell, so that loops inside do not share its counter."""
    step = assign("n", compute(num("n") + 1))
    inside = [step, *body, break_()] if breaking else [step, *body]
    asked, loop = (num_lt, while_) if kind == "while" else (num_ge, until)
    # The body runs in subshells: it may count, too.
    kept = [step, *[subshell(each) for each in inside[1:] if each != break_()]]
    ended = [break_()] if breaking else []
    return subshell(assign("n", 0), loop(asked(compute(num("n")), rounds), *kept, *ended))


def _function(body: list[Node], given: list[Word], status: int | None) -> Node:
    """A function and a call of it; what is in the body sees the call's arguments."""
    made = function("f", *body, *([] if status is None else [return_(status)]))
    return script(made.definition, made.call(*given))
