"""`postroom token`: made, shown once, listed, revoked."""

from __future__ import annotations

from tests.services.cli.conftest import Run


def test_a_token_is_shown_once(run: Run) -> None:
    made = run("token", "add", "support", "--note", "shop", "--rate", "60", "--json").line
    assert made["token"].startswith("postroom_")
    (listed,) = run("token", "list", "--json").lines
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert (listed["inbox"], listed["note"], listed["rate"], listed["revoked_at"]) == ("support", "shop", 60, None)
    assert made["token"] not in run("token", "list").out


def test_on_a_screen_the_token_alone_is_on_standard_output(run: Run) -> None:
    made = run("token", "add", "support")
    assert made.out.startswith("postroom_")
    assert len(made.out.split()) == 1
    assert "not shown again" in made.err


def test_tokens_are_revoked_by_their_inbox_and_id(run: Run) -> None:
    first, second = (run("token", "add", "support", "--json").line["id"] for _ in range(2))
    assert run("token", "revoke", "other", first).code == 1
    assert run("token", "revoke", "support").code == 2
    assert run("token", "revoke", "support", first).out == f"revoked {first}\n"
    assert [each["id"] for each in run("token", "revoke", "support", "--all", "--json").lines] == [second]
    assert all(each["revoked_at"] for each in run("token", "list", "support", "--json").lines)
    assert run("token", "revoke", "support", "--all").out == ""


def test_an_inbox_that_does_not_exist_gets_no_token(run: Run) -> None:
    refused = run("token", "add", "nowhere")
    assert (refused.code, refused.out) == (2, "")
    assert "postroom inbox list" in refused.err


def test_http_intake_is_one_process(run: Run) -> None:
    refused = run("worker", "http-intake", "--concurrency", "2")
    assert refused.code == 2
    assert "one process" in refused.err


def test_an_invalid_listen_address_is_refused(run: Run) -> None:
    refused = run("worker", "http-intake", "--listen", "nonsense")
    assert refused.code == 1
    assert "host:port" in refused.err


def test_the_key_of_a_mail_service_is_set_listed_and_removed(run: Run) -> None:
    assert run("token", "key", "support", "mailgun", "${MAILGUN_KEY}").code == 0
    (listed,) = run("token", "keys", "--json").lines
    assert (listed["inbox"], listed["service"], listed["key"]) == ("support", "mailgun", "${MAILGUN_KEY}")
    assert run("token", "key", "support", "mailgun").code == 2
    assert run("token", "key", "support", "mailgun", "--remove").code == 0
    assert run("token", "keys", "--json").lines == []
    assert run("token", "key", "support", "mailgun", "--remove").code == 1


def test_a_signing_key_in_clear_text_is_refused_and_not_repeated(run: Run) -> None:
    refused = run("token", "key", "support", "mailgun", "key-0123456789")
    assert refused.code == 1
    assert "0123456789" not in refused.err
