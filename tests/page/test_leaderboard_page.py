"""The Leaderboard page: who is better, and how sure that is (contract arena §2.6, §2.10, §2.15)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.rig import Site, fits, forgive, problems
from tests.page.talk import Api, vote

Windows = Callable[..., Visit]

COOL, WARM = "alpha__0.2_0.9_40_1.1_-1_0", "alpha__1.1_0.9_40_1.1_500_7"


def lines(page: Page) -> Locator:
    """The players of the first board, best first, in its table."""
    return page.get_by_role("region", name="Ratings").first.locator("tbody tr")


def played(times: int, left: str = "beta", right: str = "alpha") -> list[dict[str, object]]:
    """`left` wins twice as often as not, and sits on either side as often."""
    votes = []
    for number in range(times):
        sides = (left, right) if number % 2 else (right, left)
        wins = number % 3 != 0
        votes.append(vote(*sides, winner="AB"[(sides[0] == left) != wins]))
    return votes


def test_an_empty_board_says_what_to_do(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("board"))
    expect(visit.page.get_by_text("No votes yet")).to_be_visible()
    visit.page.get_by_role("link", name="Start a battle").click()
    expect(visit.page).to_have_url(site.at("battle"))


def test_a_vote_that_was_just_given_is_on_the_board(site: Site, visit: Visit) -> None:
    api = Api(site)
    visit.page.goto(site.at("board"))
    battle = api.battle("Which is better?")
    reveal = api.json("POST", f"battles/{battle}/vote", {"choice": "B"})["reveal"]
    visit.page.get_by_role("button", name="Refresh").click()
    first = lines(visit.page).first
    expect(first).to_contain_text(reveal["B"]["instance"]["model"])
    expect(first).to_contain_text("T=0.7 P=0.9 K=40")
    expect(first).to_contain_text("1–0–0")
    expect(first).to_contain_text("1,145")  # the golden vector of one win (§2.5)
    expect(visit.page.get_by_text("1 vote", exact=True)).to_be_visible()


def test_L2_the_columns(site: Site, visit: Visit) -> None:
    Api(site).vote(played(12))
    visit.page.goto(site.at("board"))
    columns = visit.page.get_by_role("region", name="Ratings").first.get_by_role("columnheader")
    expect(columns).to_contain_text(
        [
            *("Rank", "Name", "Rating", "95 % interval", "P(best)", "Games", "W–L–T", "Win rate"),
            *("Equal length", "Bad", "Tokens", "Speed", "First token", "Last played"),
        ]
    )
    expect(lines(visit.page)).to_have_count(2)
    expect(lines(visit.page).first).to_contain_text(
        re.compile(r"beta.*12\s*8–4–0\s*67 %\s*66 %\s*0 %\s*200\s*42 tok/s\s*0\.25 s\s*Mar 4, 2026", re.DOTALL)
    )


def test_L3_the_filters_are_in_the_address(site: Site, visit: Visit) -> None:
    api, page = Api(site), visit.page
    api.vote([vote(COOL, "beta", categories=["code"]), vote(WARM, "beta", at="2026-05-06T10:00:00+00:00")])
    api.vote([vote(COOL, "gamma", blind=False)])
    page.goto(site.at("board"))
    expect(lines(page)).to_have_count(3)
    page.get_by_label("Rate by").select_option("Model")
    expect(page).to_have_url(site.at("board?unit=model"))
    expect(lines(page)).to_have_count(2)
    page.get_by_role("combobox", name="Votes", exact=True).select_option("All")
    expect(lines(page)).to_have_count(3)
    page.get_by_label("Category").select_option("code")
    expect(page).to_have_url(site.at("board?unit=model&blind=0&category=code"))
    expect(page.get_by_text("1 of 3 votes are counted")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Category")).to_have_value("")
    page.get_by_text("More filters").click()
    page.get_by_label("From").fill("2026-05-01")
    expect(page).to_have_url(site.at("board?unit=model&blind=0&from=2026-05-01"))
    expect(page.get_by_text("1 of 3 votes are counted")).to_be_visible()
    page.reload()
    expect(page.get_by_label("From")).to_have_value("2026-05-01")
    expect(page.get_by_label("Rate by")).to_have_value("model")
    page.get_by_label("Games at least").fill("2")
    page.get_by_label("Games at least").press("Enter")
    expect(page.get_by_text("No vote is left to rate")).to_be_visible()
    page.get_by_role("button", name="Clear filters").first.click()
    expect(page).to_have_url(site.at("board"))
    expect(lines(page)).to_have_count(3)


def test_L3_what_leaked_and_what_was_fast_can_be_left_out(site: Site, visit: Visit) -> None:
    Api(site).vote([vote("alpha", "beta", fast=True), vote("alpha", "beta")])
    visit.page.goto(site.at("board?fast=0"))
    expect(visit.page.get_by_text("1 of 2 votes are counted")).to_be_visible()
    expect(visit.page.get_by_label("Votes within 2 s")).to_have_value("0")
    visit.page.get_by_label("Answers that name a model").select_option("Left out")
    visit.page.get_by_label("Both bad").select_option("Left out")
    expect(visit.page).to_have_url(site.at("board?both_bad=drop&leaked=0&fast=0"))


def test_L3_a_prompt_set_can_be_chosen_where_there_is_one(site: Site, visit: Visit) -> None:
    api, page = Api(site), visit.page
    api.vote([vote("alpha", "beta", prompt_set="mine"), vote("alpha", "beta")])
    page.goto(site.at("board"))
    page.get_by_text("More filters").click()
    page.get_by_label("Prompt set").select_option("mine")
    expect(page).to_have_url(site.at("board?set=mine"))
    expect(page.get_by_text("1 of 2 votes are counted")).to_be_visible()
    expect(page.get_by_label("Prompt set")).to_have_accessible_description("Only votes on the prompts of one set.")


def test_L3_a_pair_that_met_often_can_count_for_less(site: Site, visit: Visit) -> None:
    api, page = Api(site), visit.page
    api.vote([*played(60, "alpha", "beta"), *played(3, "gamma", "alpha"), *played(3, "beta", "gamma")])
    page.goto(site.at("board"))
    plain = lines(page).nth(2)
    expect(plain).to_contain_text("beta")
    before = plain.inner_text()
    page.get_by_text("More filters").click()
    expect(page.get_by_label("Weight of votes")).to_have_accessible_description(re.compile("met very often"))
    page.get_by_label("Weight of votes").select_option("Less for pairs that met often")
    expect(page).to_have_url(site.at("board?reweight=1"))
    expect(lines(page).filter(has_text="beta")).not_to_have_text(before)


def test_an_anchor_fixes_one_player_and_moves_the_others(site: Site, visit: Visit) -> None:
    page = visit.page
    Api(site).vote(played(12, COOL, "beta"))
    page.goto(site.at("board"))
    page.get_by_text("More filters").click()
    points = page.get_by_label("at rating")
    expect(points).to_be_disabled()
    page.get_by_label("Anchor").select_option("beta")
    expect(page).to_have_url(site.at("board?anchor=beta%3A1000"))
    expect(lines(page).last).to_contain_text(re.compile(r"beta.*1,000", re.DOTALL))
    points.fill("1200")
    points.press("Enter")
    expect(page).to_have_url(site.at("board?anchor=beta%3A1200"))
    expect(lines(page).last).to_contain_text(re.compile(r"beta.*1,200", re.DOTALL))
    page.reload()
    expect(page.get_by_label("Anchor")).to_have_value("beta")
    expect(page.get_by_label("at rating")).to_have_value("1200")
    page.get_by_label("Anchor").select_option("Nobody")
    expect(page).to_have_url(site.at("board"))


def test_a_lead_that_hangs_on_few_votes_says_on_how_many(site: Site, visit: Visit) -> None:
    page = visit.page
    Api(site).vote(played(12))
    page.goto(site.at("board"))
    expect(page.get_by_text("Without 5 of 12 votes, another would lead.")).to_be_visible()


def test_L4_thin_boards_are_provisional_and_say_how_many_votes_are_missing(site: Site, visit: Visit) -> None:
    Api(site).vote([*played(3), *played(1, "gamma", "delta")])
    visit.page.goto(site.at("board"))
    expect(visit.page.get_by_role("heading", name="Ratings, board 1 of 2")).to_be_visible()
    expect(visit.page.get_by_text("These players have not all met")).to_be_visible()
    boards = visit.page.get_by_role("region", name="Ratings, board")
    expect(boards.get_by_text("provisional", exact=True)).to_have_count(4)
    settled = visit.page.get_by_text(re.compile(r"About \d+ more votes? between the top two"))
    expect(settled.first).to_be_visible()


def test_L6_quick_intervals_are_there_until_they_are_refined(site: Site, visit: Visit) -> None:
    Api(site).vote(played(9))
    visit.page.goto(site.at("board"))
    expect(lines(visit.page)).to_have_count(2)
    expect(visit.page.get_by_text("Approximate intervals")).to_have_count(0)
    assert len([url for url in visit.requests if "/leaderboard" in url]) > 1
    board = Api(site).json("GET", "leaderboard")["boards"][0]
    assert board["certainty"] == "posterior"
    low = round(board["lines"][0]["low"])
    expect(lines(visit.page).first).to_contain_text(f"{low:,} – ")


def test_a_side_that_wins_too_often_is_told(site: Site, visit: Visit) -> None:
    Api(site).vote(vote(*pair) for pair in [("alpha", "beta"), ("beta", "alpha")] * 8)
    visit.page.goto(site.at("board"))
    expect(visit.page.get_by_text("The side may sway votes")).to_be_visible()
    expect(visit.page.get_by_text("The left answer won 100 % of 16 decided battles")).to_be_visible()


def test_the_table_of_wins_says_in_numbers_what_it_colours(site: Site, visit: Visit) -> None:
    Api(site).vote(played(12))
    visit.page.goto(site.at("board"))
    table = visit.page.get_by_role("region", name="Table of wins")
    row = table.get_by_role("row").nth(1)
    expect(row.get_by_role("rowheader")).to_contain_text("beta")
    expect(row.get_by_role("cell").last).to_have_text(re.compile(r"^[67]\d %$"))
    visit.page.get_by_label("Observed").check()
    expect(row.get_by_role("cell").last).to_have_text("67 %")
    visit.page.get_by_label("Games", exact=True).check()
    expect(row.get_by_role("cell").last).to_have_text("12")


def test_plots_are_pictures_with_words_numbers_and_files(site: Site, visit: Visit, windows: Windows) -> None:
    Api(site).vote(played(12))
    page = visit.page
    page.goto(site.at("board"))
    names = page.get_by_role("group", name="Plots").get_by_role("button")
    plots = page.locator("figure")
    keys = ("ratings", "winrate", "games", "history", "speed", "length", "position", "category")
    expect(names).to_have_count(len(keys))
    for number, key in enumerate(keys):
        names.nth(number).click()
        told = Api(site).json("GET", f"plots/{key}.json")
        expect(plots.get_by_role("img")).to_have_attribute("alt", f"{told['title']}. {told['description']}")
        assert page.wait_for_function("document.querySelector('figure img')?.naturalWidth > 100")
    page.get_by_text("The numbers").click()
    expect(plots.get_by_role("columnheader").first).to_be_visible()
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Save as {kind}").click()
        assert saved.value.suggested_filename == f"category.{kind.lower()}"
        assert Path(saved.value.path()).read_bytes().startswith(start)
    dark = windows(site, scheme="dark")
    dark.page.goto(site.at("board"))
    expect(dark.page.locator("figure img")).to_be_visible()
    assert any("plots/ratings.svg?theme=dark" in url for url in dark.requests)


def test_long_names_stay_inside_the_plots(site: Site, visit: Visit) -> None:
    names = [f"mammoth-mwmwm_{size}b-instruct__1.5_0.95_100_1.1_-1_{size}" for size in (70, 32)]
    Api(site).vote(played(24, *names))
    page = visit.page
    for key in ("ratings", "winrate", "games", "history", "speed", "length", "position", "category"):
        page.goto(f"{site.url}/api/arena/plots/{key}.svg")
        outside = page.evaluate(
            """() => [...document.querySelectorAll('text')].filter((text) => {
                const { x, width } = text.getBBox();
                return x < 0 || x + width > document.documentElement.viewBox.baseVal.width;
            }).map((text) => text.textContent)"""
        )
        assert outside == [], key


def test_a_failure_says_so_and_can_be_tried_again(site: Site, visit: Visit) -> None:
    refusal = {"status": 503, "body": json.dumps({"error": "The database is locked"})}
    visit.page.route("**/api/arena/leaderboard**", lambda route: route.fulfill(**refusal), times=1)
    visit.page.goto(site.at("board"))
    expect(visit.page.get_by_role("alert")).to_contain_text("The database is locked")
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.get_by_text("No votes yet")).to_be_visible()
    forgive(visit, "status of 503")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_Y3_everyone_can_read_the_board(
    site: Site, windows: Windows, scheme: Literal["light", "dark"], width: int
) -> None:
    Api(site).vote([*played(12, COOL, WARM), *played(3, COOL, "hf_co_some-organisation_A-Very-Long-Name-GGUF__x")])
    page = windows(site, scheme=scheme, width=width).page
    page.goto(site.at("board?from=2026-01-01"))
    expect(page.locator("figure img")).to_be_visible()
    expect(page.get_by_text("Approximate intervals")).to_have_count(0)
    assert problems(page) == []
    assert fits(page)
    if width < 700:
        players = page.get_by_role("list", name="Ratings")
        expect(players.get_by_role("listitem")).to_have_count(3)
        expect(players).to_contain_text("95 % interval")
