"""Ten questions of a tumour board, each answered from the landing page in three steps at most."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

MOST_STEPS = 3


class User:
    """Somebody at the landing page; every method but `reads` is one interaction."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.steps = page, 0
        page.goto(url)
        self.main, self.sidebar = page.get_by_test_id("stMain"), page.get_by_test_id("stSidebar")
        self.reads("Who is in the cohort")

    def reads(self, *texts: str) -> None:
        for text in texts:
            expect(self.main).to_contain_text(text)
        # Nobody types while the page is still on its way.
        state = ("data-test-script-state", "notRunning")
        expect(self.page.get_by_test_id("stApp")).to_have_attribute(*state)

    def pill(self, label: str, then: str) -> None:
        self.steps += 1
        self.sidebar.get_by_role("button", name=re.compile(rf"^{label} \d+")).first.click()
        self.reads(then)

    def more_filters(self) -> None:
        self.steps += 1
        self.sidebar.get_by_text("More filters").click()

    def finds(self, level: str, then: str) -> None:
        self.steps += 1
        box = self.sidebar.get_by_role("combobox", name="Find a variable")
        box.click()
        # Typed as a person types: the list closes while the fold around it still opens.
        box.press_sequentially(level[:12], delay=80)
        self.page.get_by_role("option", name=level, exact=True).click()
        self.reads(then)

    def page_of(self, name: str) -> None:
        self.steps += 1
        self.page.get_by_role("link", name=name, exact=True).click()

    def study(self, name: str) -> None:
        self.steps += 1
        self.sidebar.get_by_role("combobox", name="Study").click()
        self.page.get_by_role("option", name=re.compile(name)).click()
        self.reads(name)

    def question(self, words: str) -> None:
        """Open the questions and choose one: two interactions."""
        self.steps += 2
        self.main.get_by_role("button", name=re.compile("Questions")).click()
        self.page.get_by_role("link", name=re.compile(words)).click()


@pytest.fixture
def user(server: str, page: Page) -> Iterator[User]:
    somebody = User(page, f"{server}/?study=short2025")
    yield somebody
    assert 0 < somebody.steps <= MOST_STEPS


def test_1_survival_of_high_risk_by_mrd(user: User) -> None:
    user.pill("High", "59 of 161 patients")
    user.question(r"by MRD after cycle 1$")
    user.reads("Relapse-free survival by MRD after cycle 1", "59 of 161 patients", "11 events")
    user.reads("100% (40–100)", "38% (10–66)", "Log-rank P = 0.01", "permutation P = 0.006")


def test_2_the_same_censored_at_transplant(user: User) -> None:
    user.pill("High", "59 of 161 patients")
    user.question("after cycle 1, censored at alloSCT")
    user.reads("censored at alloSCT, by MRD after cycle 1", "9 events", "Log-rank P = 0.002")


def test_3_negativity_by_ph_status(user: User) -> None:
    user.page_of("MRD negativity")
    user.reads("63% 51/81", "72% 23/32", "−9 (−26 to 11)", "0.51")


def test_4_follow_up_of_early_responders(user: User) -> None:
    user.pill("Ph-negative", "110 of 161 patients")
    user.more_filters()
    user.finds("Early MRD responders", "16 of 161 patients")
    user.reads("Median follow-up, months", "16.3", "95% CI 14.1–32.7")


def test_5_transplant_in_high_risk_positive(user: User) -> None:
    user.pill("High", "59 of 161 patients")
    user.pill("Positive", "16 of 161 patients")
    user.page_of("Transplant")
    user.reads("Does alloSCT in first remission help?", "5.5 months, day 167")
    user.reads("Nobody left out; 6 transplanted by then", "0.09 (95% CI 0.01–0.78), P = 0.009")


def test_6_relapse_and_death_of_the_transplanted(user: User) -> None:
    user.pill("AlloSCT in CR1", "24 of 161 patients")
    user.question("Relapse and non-relapse mortality")
    user.reads("24 of 161 patients", "Relapse 5% (0–21)", "NRM 5% (0–21)", "Immortal time")


def test_7_late_responders_with_tp53(user: User) -> None:
    user.more_filters()
    user.finds("Late MRD responders", "34 of 161 patients")
    user.finds("TP53 mutated", "8 of 161 patients")
    user.reads("All (n = 8)", "4 relapses, 0 died in remission")


def test_8_high_against_standard_risk(user: User) -> None:
    user.pill("High", "59 of 161 patients")
    user.pill("Standard", "110 of 161 patients")
    user.reads("Table 1. Characteristics by risk group", "Standard (n = 51)", "High (n = 59)")
    user.reads("44 (24–80)", "44 (18–87)")


def test_9_discordant_assays(user: User) -> None:
    user.study("Nguyen 2026")
    user.page_of("MRD negativity")
    user.reads("MFC−/NGS+ 15", "Agree", "61% 23/38", "44% (12–73)", "73% (49–87)")


def test_10_ratio_in_every_subgroup(user: User) -> None:
    user.question("every subgroup")
    user.reads("Hazard ratio of MRD positive against MRD negative, by subgroup")
    user.reads("7.18 (0.93–55.28)", "3.12 (0.35–28.12)", "none adjusted")
