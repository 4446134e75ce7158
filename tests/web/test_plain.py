from collections.abc import Callable
from typing import Any

from chalicelib.web import render_error, render_login

Parse = Callable[[str], Any]


def test_the_form_posts_the_token(parse: Parse) -> None:
    page = parse(render_login())

    form, field = page.one("form"), page.one("input")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "login")
    assert (field.attributes["name"], field.attributes["type"]) == ("token", "password")
    assert page.one("label").attributes["for"] == field.attributes["id"]


def test_a_wrong_token_is_told_to_those_who_cannot_see(parse: Parse) -> None:
    page = parse(render_login("That token is <wrong>."))

    note = page.one("p", "note")
    assert note.text == "That token is <wrong>."
    assert note.attributes["role"] == "alert"
    assert note.attributes["id"] in page.one("input").attributes["aria-describedby"].split()


def test_an_error_says_what_happened_and_leads_back(parse: Parse) -> None:
    page = parse(render_error(404, "no pipeline <zzz>", root="../"))

    assert page.one("h1").text == "Not Found"
    assert page.one("p", "reason").text == "no pipeline <zzz>"
    assert page.one("a", "button").attributes["href"] == "../"
    assert page.all("link")[1].attributes["href"].startswith("../static/berth.css?v=")


def test_an_unknown_status_has_a_page_too(parse: Parse) -> None:
    assert parse(render_error(599, "odd")).one("h1").text == "Error"
