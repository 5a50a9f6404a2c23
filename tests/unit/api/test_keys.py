import stat
from pathlib import Path

import pytest

from crosslens.api.keys import KeyFile, Role
from crosslens.errors import InvalidRequest, NotFound


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "home" / "keys.json")


def test_a_key_opens_the_door_and_only_its_hash_is_kept(keys: KeyFile, tmp_path: Path) -> None:
    key, text = keys.new(Role.WRITE, "shop")
    assert keys.find(text) == key
    file = tmp_path / "home" / "keys.json"
    assert text.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("text", ["", "cl_", "cl_00000000_" + "x" * 43, "Bearer x", "ключ"])
def test_other_texts_open_nothing(keys: KeyFile, text: str) -> None:
    keys.new(Role.ADMIN)
    assert keys.find(text) is None


def test_a_secret_belongs_to_its_own_key(keys: KeyFile) -> None:
    (first, one), (_, two) = keys.new(Role.READ), keys.new(Role.ADMIN)
    assert keys.find(f"cl_{first.id}_{two.split('_', 2)[2]}") is None
    assert keys.find(one) == first


def test_another_process_sees_new_and_revoked_keys(keys: KeyFile, tmp_path: Path) -> None:
    other = KeyFile(tmp_path / "home" / "keys.json")
    key, text = other.new(Role.READ)
    assert keys.find(text) == key
    other.revoke(key.id)
    keys._looked = -9.0  # a second later
    assert keys.find(text) is None
    with pytest.raises(NotFound):
        other.revoke(key.id)


def test_a_file_that_is_damaged_says_so_instead_of_opening_the_door(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(InvalidRequest, match=r"keys\.json"):
        KeyFile(tmp_path / "keys.json").all()


def test_roles_contain_each_other() -> None:
    permitted = [(a.value, b.value) for a in Role for b in Role if a.permits(b)]
    assert permitted == [
        ("read", "read"), ("write", "read"), ("write", "write"),
        ("admin", "read"), ("admin", "write"), ("admin", "admin"),
    ]  # fmt: skip
