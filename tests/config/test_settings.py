"""Settings: what is wrong is one sentence that names the setting and the remedy."""

from pathlib import Path

import pytest

from config.settings import ServerSettings, load_settings
from domain.errors import ConfigError

SHIPPED = Path("config/settings.toml")


@pytest.fixture
def write(tmp_path: Path):
    """Write a settings file: the shipped one with one text replaced, then some lines added."""

    def written(old: str = "", new: str = "", *, more: str = "") -> Path:
        text = SHIPPED.read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "settings.toml"
        path.write_text(text.replace(old, new, 1) + more, encoding="utf-8")
        return path

    return written


def test_the_shipped_settings_are_valid_and_marked_as_for_trying_out():
    settings = load_settings(SHIPPED, env={})

    assert settings.security.is_for_trying_out
    assert [account.id for account in settings.accounts] == ["city"]
    asked = {"social", "medical", "fund", "traffic", "utilities"}
    telling = {"weather", "prices", "transit", "enterprise"}
    assert set(settings.departments) == asked | telling


def test_the_shipped_account_maps_every_first_template():
    account = load_settings(SHIPPED, env={}).account("city")

    assert set(account.templates) == {
        "outage_notice", "violation_notice", "balance_notice",
        "case_notice", "alert_notice", "reminder_notice",
    }  # fmt: skip


def test_an_environment_variable_overrides_the_file():
    env = {"WEIZHENG_PUSH__PER_SECOND": "50", "WEIZHENG_ACCOUNTS__0__TOKEN": "another"}

    settings = load_settings(SHIPPED, env=env)

    assert settings.push.per_second == 50
    assert settings.account("city").token.get_secret_value() == "another"


def test_the_environment_names_the_file():
    settings = load_settings(env={"WEIZHENG_CONFIG": str(SHIPPED)})

    assert settings.server.port == 8000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[push]\n", "[push]\nper_minute = 3\n", "setting push.per_minute: is not a known setting"),
        ("per_second = 200", "per_second = 0", "setting push.per_second"),
        ("secret_key = ", "# ", "setting security.secret_key: is missing"),
        ('mode = "safe"', 'mode = "open"', "setting accounts.0.mode"),
        ("app_secret = ", "# ", "setting accounts.0.app_secret: is missing"),
        ("TryingOutOnly1234", "short", "must be exactly 43 letters and digits"),
        ("encoding_aes_key = ", "# ", "encoding_aes_key is missing, and mode 'safe' needs it"),
        ('field_key = "', 'field_key = "AAAA', "setting security.field_key: holds"),
        ('uri = "embedded"', 'uri = "somewhere"', "setting mongo.uri"),
        ('"22:00-07:00"', '"late"', "setting push.quiet_hours"),
        ('"22:00-07:00"', '"22:00Z-07:00"', "the hours are Beijing time"),
        ('"http://127.0.0.1:8000"', '"https://wx.example.org"', "make your own secret_key"),
        ("port = 8000", "port = ", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(write, old, new, said):
    with pytest.raises(ConfigError) as caught:
        load_settings(write(old, new), env={})

    assert said in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_every_public_secret_is_refused_where_others_reach_the_service():
    own = {"SERVER__PUBLIC_URL": "https://wx.example.org", "SECURITY__SECRET_KEY": "own" * 9}

    with pytest.raises(ConfigError) as caught:
        load_settings(SHIPPED, env={f"WEIZHENG_{name}": value for name, value in own.items()})

    for name in ("security.field_key", "city.app_secret", "city.token", "city.encoding_aes_key"):
        assert name in str(caught.value)
    assert "secret_key," not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEIZHENG_PUSH__PER_SECOND", "fast", "in the environment variable WEIZHENG_PUSH__PER_"),
        ("WEIZHENG_PUSH_PER_SECOND", "50", "write WEIZHENG_PUSH__PER_SECOND, with two underscores"),
        ("WEIZHENG_STORAGE__DATA_DIR", "", "setting storage.data_dir: names no folder"),
        ("WEIZHENG_SECURITY__SECRET_KEY", "short", "at least 16 characters"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_write(name, value, said):
    with pytest.raises(ConfigError) as caught:
        load_settings(SHIPPED, env={name: value})

    assert said in str(caught.value)


def test_variables_of_others_are_left_alone():
    others = {"WEIZHENG_CONFIG": "", "WEIZHENG_SERVICE_HOST": "10.0.0.1"}

    assert load_settings(env=others).server.port == 8000


def test_without_a_section_its_missing_setting_is_named(tmp_path):
    (tmp_path / "empty.toml").touch()

    with pytest.raises(ConfigError, match=r"security\.secret_key: is missing; .*__SECRET_KEY"):
        load_settings(tmp_path / "empty.toml", env={})


def test_a_missing_secret_is_answered_with_its_environment_variable(write):
    with pytest.raises(ConfigError, match="WEIZHENG_SECURITY__SECRET_KEY"):
        load_settings(write("secret_key = ", "# "), env={})


def test_a_wrong_secret_is_not_repeated(write):
    with pytest.raises(ConfigError) as caught:
        load_settings(write("TryingOutOnly1234", "NotToBeShown"), env={})

    assert "NotToBeShown" not in str(caught.value)


def test_two_accounts_of_one_name_are_refused(write):
    text = SHIPPED.read_text(encoding="utf-8")
    account = text[text.index("\n[[accounts]]") : text.index("# Templates:")]

    with pytest.raises(ConfigError, match="two \\[\\[accounts\\]\\] have the same id"):
        load_settings(write(more=account), env={})


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml", env={})


@pytest.mark.parametrize(
    "name",
    [
        "WEIZHENG_PUSH__SPEED",  # no such setting
        "WEIZHENG_ACCOUNTS__7__TOKEN",  # no such account
        "WEIZHENG_ACCOUNTS__0",  # a whole account
        "WEIZHENG_SERVER__PORT__HIGH",  # a value is no section
    ],
)
def test_a_wrong_override_is_refused(name):
    with pytest.raises(ConfigError):
        load_settings(SHIPPED, env={name: "1"})


def test_an_unknown_account_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"there is no account 'town' .*known: city"):
        load_settings(SHIPPED, env={}).account("town")


def test_secrets_do_not_show_in_the_representation():
    settings = load_settings(SHIPPED, env={})

    assert "trying-out-only" not in repr(settings)


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:8000", True),
        ("https://[2001:db8::1]", False),
        ("https://localhost@gov.sample.example", False),
        ("https://127.0.0.1.sample.example", False),
    ],
)
def test_only_this_machine_counts_as_this_machine(address, is_local):
    assert ServerSettings(public_url=address).is_local is is_local


def test_a_list_in_the_environment_has_commas():
    env = {
        "WEIZHENG_TRIGGERS__OUTAGE__ACCOUNTS": "",
        "WEIZHENG_ACCOUNTS__0__TEST_OPENIDS": "oCit0001, oCit0002",
    }

    settings = load_settings(Path("config/settings.toml"), env=env)

    assert settings.triggers["outage"].accounts == ()
    assert settings.accounts[0].test_openids == ("oCit0001", "oCit0002")


@pytest.mark.parametrize(
    "address", ["http://robot.example.org/send?key=1", "https://", "ftp://x/", "javascript:x"]
)
def test_a_webhook_whose_key_would_travel_in_the_open_is_refused(address: str):
    with pytest.raises(ConfigError) as refused:
        load_settings(SHIPPED, env={"WEIZHENG_CONSOLE__WEBHOOK_URL": address})

    assert "begins with https://" in str(refused.value)
