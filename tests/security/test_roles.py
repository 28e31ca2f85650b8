"""Who may do what: the rules of secrets.toml, what each role is refused, and the homes of both."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.suppression import Hidden
from data import audit, signed_out
from data.cohort import CohortFilter
from data.store import find
from pages.elements import access, catalogue, downloads, sign_in
from pages.elements.answers.small_cells import RowsNotShown
from pages.elements.guard import _is_view
from pages.elements.roles import NEEDS, Role, RolesFault, role_of, rules
from pages.elements.sign_in import Person, Refused
from tests.security.conftest import STUDY, fails_to_start
from tests.security.outsider import PEOPLE, secrets

ROOT = Path(__file__).parents[2]
GIVEN = rules({"admin": ["ada@a.example"], "editor": ["*@b.example"],
               "viewer": ["Vera@C.example", "ada@a.example", "*@d.example"]})  # fmt: skip


@pytest.mark.parametrize(("email", "role"), [
    ("ada@a.example", Role.ADMIN), ("ADA@A.EXAMPLE", Role.ADMIN), ("x@b.example", Role.EDITOR),
    ("vera@c.example", Role.VIEWER), ("other@c.example", None), ("x@sub.b.example", None),
    ("x@b.example.evil.example", None), ("x@evil.example ada@a.example", None), ("b.example", None),
    ("@b.example", None), ("*@b.example", None), ("x@evil.example@b.example", None), ("", None),
    ("ada@a.example\n", None), ("x@xb.example", None), ("ada@a.example,x@b.example", None),
])  # fmt: skip
def test_an_e_mail_has_the_highest_role_that_the_rules_give(email: str, role: Role | None) -> None:
    assert role_of(email, GIVEN) == role


@pytest.mark.parametrize("section", [
    {"owner": ["a@a.example"]}, {"admin": "a@a.example"}, {"admin": ["*"]}, {"admin": ["a.example"]},
    {"admin": [1]}, {"admin": ["*@*"]}, {"admin": ["a@*.example"]}, {"admin": [""]},
])  # fmt: skip
def test_rules_that_cannot_be_read_are_a_fault_and_never_a_role(section: dict[str, object]) -> None:
    with pytest.raises(RolesFault, match=r"\[roles\]"):
        rules(section)


@pytest.mark.parametrize(("change", "said"), [
    (lambda text: text.replace("[auth]", "[auth"), "cannot be read"),
    (lambda text: text.replace('client_id = "dashboard"\n', ""), "lacks client_id"),
    (lambda text: re.sub('cookie_secret = ".*"', 'cookie_secret = "short"', text), "fewer than 32"),
    (lambda text: text.replace("/oauth2callback", ""), "redirect_uri"),
    (lambda text: text.replace("editor =", "writer ="), "is no role"),
])  # fmt: skip
def test_a_sign_in_that_is_set_up_wrongly_keeps_the_server_from_starting(
    tmp_path: Path, change: object, said: str
) -> None:
    assert callable(change)
    assert said in fails_to_start(tmp_path, change(secrets("http://localhost:1")))


def _person(role: Role | None) -> Person:
    return Person("x@a.example", role)


@pytest.fixture
def folder(canaries: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path))
    return tmp_path


def test_each_role_has_everything_of_the_one_before() -> None:
    allowed = {role: {action for action in NEEDS if _person(role).may(action)} for role in Role}
    assert allowed[Role.VIEWER] == set()
    assert allowed[Role.EDITOR] == {"see single patients", "import", "publish"}
    assert allowed[Role.ADMIN] == set(NEEDS)
    assert not any(_person(None).may(action) for action in NEEDS)


@pytest.mark.parametrize("action", NEEDS)
@pytest.mark.parametrize("role", [None, *Role])
def test_what_a_role_does_not_allow_is_refused_and_logged(
    folder: Path, action: str, role: Role | None
) -> None:
    with sign_in.acting(_person(role)):
        if role is not None and role >= NEEDS[action]:
            assert sign_in.require(action).role == role
            return
        with pytest.raises(Refused, match="does not allow"):
            sign_in.require(action)
    (line,) = audit.lines(folder)
    assert (line.who, line.what, line.told) == ("x@a.example", "refused", {"action": action})


def test_a_sign_in_that_has_ended_allows_nothing(folder: Path) -> None:
    late = Person("x@a.example", Role.ADMIN, "0" * 64, time.time() - 1)
    out = Person("x@a.example", Role.ADMIN, "1" * 64, time.time() + 1000)
    assert out.may("delete")
    signed_out.end(out.key)
    for person in (late, out):
        assert not person.may("delete")
        with sign_in.acting(person):
            assert sign_in.present() is None
            with pytest.raises(Refused):
                sign_in.require("import")
            with pytest.raises(Refused):
                downloads._made(lambda: b"x", "x.csv", rows=False)


def test_a_viewer_sees_every_study_as_one_with_small_counts_hidden(
    canaries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(canaries))
    assert find(STUDY).small_cell_minimum == 0
    with sign_in.acting(_person(Role.EDITOR)):
        assert catalogue.find(STUDY).small_cell_minimum == 0
        assert len(access.subjects(catalogue.find(STUDY), CohortFilter())) == 38
    for role in (Role.VIEWER, None):
        with sign_in.acting(_person(role)):
            for snapshot in (catalogue.find(STUDY), *catalogue.snapshots()):
                assert snapshot.small_cell_minimum == 5
                with pytest.raises(RowsNotShown):
                    access.subjects(snapshot, CohortFilter())
                with pytest.raises(RowsNotShown):
                    access.patient(snapshot, CohortFilter(), "x")
            counts = access.level_counts(snapshot, CohortFilter(), ("ph_status", "sex"))
            shown = [n for of in counts.values() for n in of.values() if not isinstance(n, Hidden)]
            assert not [n for n in shown if 0 < n < 5]


def test_a_file_is_logged_before_it_leaves_and_not_made_for_whom_it_is_not(folder: Path) -> None:
    with sign_in.acting(_person(Role.VIEWER)):
        assert downloads._made(lambda: b"x", "curve.svg", rows=False) == b"x"
        with pytest.raises(Refused):
            downloads._made(lambda: b"x", "patients.csv", rows=True)
    with sign_in.acting(_person(None)), pytest.raises(Refused):
        downloads._made(lambda: b"x", "curve.svg", rows=False)
    assert [(line.what, dict(line.told)) for line in audit.lines(folder)] == [
        ("download", {"file": "curve.svg"}), ("refused", {"action": "see single patients"})
    ]  # fmt: skip
    (folder / "audit.jsonl").unlink()
    (folder / "audit.jsonl").mkdir()
    with sign_in.acting(_person(Role.ADMIN)), pytest.raises(OSError):  # noqa: PT011
        downloads._made(lambda: b"x", "curve.svg", rows=False)


def test_what_a_failing_file_says_has_no_values(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> bytes:
        raise ValueError("patient CANARY-7f3a-N01")

    with (
        sign_in.acting(_person(Role.ADMIN)),
        pytest.raises(downloads.NotMade) as raised,
    ):
        downloads._made(fails, "patients.csv", rows=True)
    assert "CANARY" not in str(raised.value) + caplog.text
    assert raised.value.__suppress_context__
    assert not list(audit.lines(folder))


@pytest.mark.parametrize(("view", "ours"), [
    ("/", True), ("/survival", True), ("/survival?study=a&ph_status=negative", True),
    ("/patients?study=a%20b&by=x.y", True), ("//evil.example", False), ("/\\evil.example", False),
    ("https://evil.example/", False), ("/survival/../x", False), ("/elements", False), ("", False),
    ("/survival?a=b\r\nSet-Cookie: x", False), ("/survival?a b", False), ("/survival#x", False),
    ("javascript:alert(1)", False), ("/auth/logout", False), ("/media/x", False), ("survival", False),
    ("/survival?a=<script>", False), ("/survival?" + "a" * 3001, False), ("/Survival", False),
    ("/?next=//evil.example", True),
])  # fmt: skip
def test_only_our_own_pages_are_come_back_to(view: str, ours: bool) -> None:
    assert _is_view(view) is ours


# --- one home each


def _sources() -> list[Path]:
    return [ROOT / "app.py", ROOT / "asgi.py", *sorted((ROOT / "pages").rglob("*.py"))]


def test_one_module_draws_buttons_for_files() -> None:
    drawing = {path.name for path in _sources() if "download_button(" in path.read_text("utf-8")}
    assert drawing == {"downloads.py"}


def test_one_module_takes_snapshots_from_the_store() -> None:
    taking = set()
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in ("data.store", "data"):
                names = {alias.name for alias in node.names}
                if names & {"find", "snapshots", "store"}:
                    taking.add(path.name)
    assert taking == {"catalogue.py"}


@pytest.mark.parametrize("call", ["history.roll_back", "history.delete", "history.set_minimum"])
def test_what_changes_the_store_passes_the_role(call: str) -> None:
    users = [path for path in _sources() if call in path.read_text("utf-8")]
    assert [path.name for path in users] == ["snapshots_view.py"]
    source = users[0].read_text("utf-8")
    assert source.count(call) == source.count(f"partial({call},"), "called without its role"


HOSTILE = ("'; DROP TABLE patients; --", '" UNION SELECT * FROM patients --', "%' OR 1=1", "\\")


@pytest.mark.parametrize("page", ["app.py", *(f"pages/{path.name}" for path in
                                              sorted((ROOT / "pages").glob("[a-z]*.py")))])  # fmt: skip
def test_no_text_field_is_more_than_text(
    canaries: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(canaries))
    before = (canaries / f"{STUDY}.json").read_bytes(), find(STUDY).file_sha256
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    test = (test if page == "app.py" else test.switch_page(page)).run()
    for at in range(len(test.text_input)):
        for text in HOSTILE:
            test.text_input[at].set_value(text)
            test.run()
            assert not test.exception
            assert not [e for e in test.error if "could not be shown" in str(e.value)]
    assert ((canaries / f"{STUDY}.json").read_bytes(), find(STUDY).file_sha256) == before


def test_people_of_the_tests_have_the_roles_they_are_named_after() -> None:
    given = rules(
        {"admin": [PEOPLE["admin"]], "editor": ["*@b.example"], "viewer": ["Vera@C.example"]}
    )
    found = {name: role_of(email, given) for name, email in PEOPLE.items()}
    assert found == {
        "admin": Role.ADMIN, "editor": Role.EDITOR, "viewer": Role.VIEWER, "nobody": None
    }  # fmt: skip
