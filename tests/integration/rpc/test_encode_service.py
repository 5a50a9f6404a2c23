"""The encode service over gRPC: calls, refusals, keys, TLS, bounds, bundles that stay."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from crosslens.api.keys import KeyFile, Role
from crosslens.encode import wire_pb2 as wire
from crosslens.encode.depots import FolderDepot, push
from crosslens.encode.remote import EncodeClient
from crosslens.errors import (
    BrokenBundle,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnreadablePicture,
    WrongSpace,
)
from encode_service import EncodeHouse, encoding
from servers import free_port
from tiny_bundle import png, proved_tiny, write_tiny

WORDS = ["red shoe", "红鞋", "😀", "ＲＥＤ"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncodeHouse]:
    with encoding(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def client(house: EncodeHouse) -> Iterator[EncodeClient]:
    with closing(house.client()) as connected:
        yield connected


@pytest.fixture
def channel(house: EncodeHouse) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(house.url.removeprefix("grpc://")) as opened:
        yield opened


@pytest.fixture(scope="module")
def locked(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[EncodeHouse, dict[Role, str]]]:
    home = tmp_path_factory.mktemp("locked")
    keys = {role: KeyFile(home / "keys.json").new(role)[1] for role in Role}
    with encoding(home) as house:
        yield house, keys


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


def loaded(client: EncodeClient) -> set[str]:
    told = client.call("ListModels", wire.ListModelsRequest()).models
    return {model.name for model in told if model.loaded}


class TestCalls:
    def test_vectors_are_bit_by_bit_those_of_the_same_bundle_here(self, house, client):
        here, there = house.app.bundle("tiny"), client.model("tiny")
        for queries in (True, False):
            verb = "encode_queries" if queries else "encode_items"
            for word in WORDS:
                a, b = getattr(here.words, verb)([word]), getattr(there.words, verb)([word])
                assert np.array_equal(a.array, b.array)
        picture = [png(1)]
        assert np.array_equal(
            here.pictures.encode_pictures(picture).array,
            there.pictures.encode_pictures(picture).array,
        )

    def test_the_card_comes_whole(self, house, client):
        assert client.model("tiny").card == house.app.shelf.card("tiny")

    def test_words_are_cut_and_padded_as_here(self, house, client):
        here, there = house.app.bundle("tiny"), client.model("tiny")
        for queries in (True, False):
            ids = there.token_ids(WORDS, queries=queries)
            expected = here.token_ids(WORDS, queries=queries)
            assert [row.tolist() for row in ids] == [row.tolist() for row in expected]
            inputs, wanted = (m.text_inputs(WORDS, queries=queries) for m in (there, here))
            assert inputs.keys() == wanted.keys() == {"input_ids", "attention_mask"}
            for name, array in wanted.items():
                assert np.array_equal(inputs[name], array)
                assert inputs[name].dtype == array.dtype

    def test_pictures_become_what_the_tower_takes(self, house, client):
        inputs = client.model("tiny").picture_inputs([png(1), png(2)])
        expected = house.app.bundle("tiny").picture_inputs([png(1), png(2)])
        assert inputs.keys() == {"pixel_values"}
        assert np.array_equal(inputs["pixel_values"], expected["pixel_values"])

    def test_bundles_are_listed_and_described(self, client):
        assert client.names() == ["crosslens-mini", "tiny"]
        told = client.call("DescribeModel", wire.DescribeModelRequest(model="tiny"))
        assert (told.name, told.dim, told.text, told.picture, told.loaded) == (
            "tiny", 16, True, True, True,
        )  # fmt: skip
        assert not client.call("ListModels", wire.ListModelsRequest()).models[0].loaded

    def test_a_bundle_proves_itself_from_afar(self, client):
        assert client.model("tiny").check().passed

    def test_many_callers_at_once_get_their_own_vectors(self, client):
        words = client.model("tiny").words
        alone = {word: words.encode_queries([word]).array for word in WORDS}
        failures = []

        def ask(word: str) -> None:
            for _ in range(15):
                found = words.encode_queries([word]).array
                if not np.allclose(found, alone[word], atol=1e-5):
                    failures.append(word)

        threads = [threading.Thread(target=ask, args=(word,)) for word in WORDS * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_more_inputs_than_one_call_takes_are_sent_in_several(self, client):
        words = client.model("tiny").words
        many = [f"word {n}" for n in range(600)]
        found = words.encode_items(many)
        np.testing.assert_allclose(
            found.array[599], words.encode_items(many[599:]).array[0], atol=1e-5
        )


class TestRefusals:
    def test_errors_stay_themselves_with_their_hint(self, client):
        model = client.model("tiny")
        with pytest.raises(UnreadablePicture, match="SHA-256"):
            model.pictures.encode_pictures([b"not a picture"])
        with pytest.raises(NotFound, match="'absent'"):
            client.model("absent")

    @pytest.mark.parametrize("name", ["../tiny", "/etc", "a/b", "..", "."])
    def test_a_bundle_is_named_and_never_a_path(self, client, name):
        with pytest.raises(InvalidRequest, match="bundle name"):
            client.model(name)
        with pytest.raises(InvalidRequest, match="bundle name"):
            client.call("LoadModel", wire.LoadModelRequest(model=name))

    def test_vectors_of_another_space_are_refused(self, client):
        which = wire.Which(model="tiny", space="other@1/fp32")
        with pytest.raises(WrongSpace, match=r"other@1/fp32.*tiny@1/fp32") as caught:
            client.call("EncodeText", wire.EncodeTextRequest(which=which, texts=["x"]))
        assert "another bundle" in (caught.value.hint or "")

    @pytest.mark.parametrize("count", [0, 1_025])
    def test_how_much_one_call_may_ask_is_bounded(self, client, count):
        request = wire.EncodeTextRequest(texts=["x"] * count)
        with pytest.raises(InvalidRequest, match="allowed are 1 to 1,024"):
            client.call("EncodeText", request)

    def test_texts_and_pictures_are_bounded(self, tmp_path):
        with (
            encoding(tmp_path, max_picture_bytes=1_000) as small,
            closing(small.client()) as client,
        ):
            with pytest.raises(TooLarge, match="100,000 characters"):
                client.call("EncodeText", wire.EncodeTextRequest(texts=["x" * 100_001]))
            with pytest.raises(TooLarge, match="1,000 bytes"):
                client.call("EncodePictures", wire.EncodePicturesRequest(pictures=[bytes(1_001)]))

    def test_a_message_beyond_the_bound_is_not_read(self, tmp_path):
        with (
            encoding(tmp_path, max_body_bytes=10_000) as small,
            closing(small.client()) as client,
            pytest.raises(TooLarge, match="larger than"),
        ):
            client.call("EncodePictures", wire.EncodePicturesRequest(pictures=[bytes(20_000)]))

    def test_a_tower_that_is_not_there_is_told(self, tmp_path):
        write_tiny(tmp_path / "bundles" / "words", picture=None)
        with (
            encoding(tmp_path) as house,
            closing(house.client()) as client,
            pytest.raises(BrokenBundle, match="no picture tower"),
        ):
            client.model("words").pictures.encode_pictures([png(1)])

    def test_nonsense_to_preprocess_is_refused(self, client):
        with pytest.raises(InvalidRequest, match="neither texts nor pictures"):
            client.call("Preprocess", wire.PreprocessRequest())

    def test_words_with_half_a_character_are_encoded_all_the_same(self, client):
        assert len(client.model("tiny").words.encode_queries(["a\ud83d"])) == 1


class TestAway:
    @pytest.mark.parametrize(
        "url",
        ["", "localhost:1", "http://localhost:1", "grpc://localhost", "grpc://h:1/x", "grpc://h:x"],
    )
    def test_what_is_no_address_is_refused(self, url):
        with pytest.raises(InvalidRequest, match="encoder_url"):
            EncodeClient(url)

    def test_a_service_that_is_not_there_is_unavailable_and_named(self):
        with (
            closing(EncodeClient(f"grpc://127.0.0.1:{free_port()}", deadline_s=2)) as client,
            pytest.raises(Unavailable, match="does not answer") as caught,
        ):
            client.names()
        assert "encoder_url" in (caught.value.hint or "")

    def test_a_deadline_is_kept(self, house):
        many = wire.EncodeTextRequest(texts=["red shoe " * 100] * 1_000)
        with closing(house.client(deadline_s=1e-3)) as hasty, pytest.raises(Unavailable):
            hasty.call("EncodeText", many)

    def test_a_service_that_comes_back_is_found_again(self, tmp_path):
        port = free_port()
        with encoding(tmp_path, rpc_port=port) as house:
            client = house.client(deadline_s=20)
            words = client.model("tiny").words
            before = words.encode_queries(["red"]).array
        with pytest.raises(Unavailable):
            client.call("ListModels", wire.ListModelsRequest(), deadline_s=1)
        with encoding(tmp_path, rpc_port=port):
            assert np.array_equal(words.encode_queries(["red"]).array, before)
            client.close()

    def test_a_port_that_is_taken_is_told(self, house, tmp_path):
        with (
            pytest.raises(Unavailable, match="cannot listen on"),
            encoding(tmp_path, rpc_port=house.server.port),
        ):
            pass


class TestKeys:
    def test_without_a_key_or_with_another_nothing_is_told(self, locked):
        for token in ("", "cl_00000000_" + "x" * 43, "nonsense"):
            with closing(locked[0].client(token=token)) as client, pytest.raises(Unauthenticated):
                client.names()

    def test_reading_may_encode_and_only_administrators_load(self, locked):
        house, keys = locked
        with closing(house.client(token=keys[Role.READ])) as reader:
            assert len(reader.model("tiny").words.encode_queries(["red"])) == 1
            with pytest.raises(Forbidden, match="admin"):
                reader.call("LoadModel", wire.LoadModelRequest(model="tiny"))
            with pytest.raises(Forbidden, match="admin"):
                reader.call("UnloadModel", wire.UnloadModelRequest(model="tiny"))
        with closing(house.client(token=keys[Role.ADMIN])) as admin:
            assert admin.call("LoadModel", wire.LoadModelRequest(model="tiny")).loaded

    def test_a_closed_door_without_keys_lets_nobody_in(self, tmp_path):
        with (
            encoding(tmp_path, open_door=False) as house,
            closing(house.client()) as client,
            pytest.raises(Unauthenticated),
        ):
            client.names()

    def test_health_needs_no_key(self, locked):
        with grpc.insecure_channel(locked[0].url.removeprefix("grpc://")) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert stub.Check(health_pb2.HealthCheckRequest()).status == 1


class TestHealth:
    def test_it_serves_once_it_has_started_and_no_longer_when_it_stops(self, tmp_path):
        with (
            encoding(tmp_path) as house,
            grpc.insecure_channel(house.url.removeprefix("grpc://")) as channel,
        ):
            stub = health_pb2_grpc.HealthStub(channel)
            for name in ("", "crosslens.encode.v1.EncodeService"):
                told = stub.Check(health_pb2.HealthCheckRequest(service=name))
                assert told.status == health_pb2.HealthCheckResponse.SERVING
            watched = stub.Watch(health_pb2.HealthCheckRequest())
            assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
            house.server.stop(grace_s=2)
            assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watched.cancel()

    def test_tools_can_ask_which_calls_there_are(self, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        [told] = stub.ServerReflectionInfo(iter([asked]))
        names = {service.name for service in told.list_services_response.service}
        assert "crosslens.encode.v1.EncodeService" in names


class TestBundles:
    def test_a_bundle_is_fetched_from_where_bundles_are_shared_and_stays(self, tmp_path):
        """Reference bug M11: models lived in memory only, and came from any URL a caller gave."""
        shared, home = tmp_path / "shared", tmp_path / "home"
        push(FolderDepot(shared), proved_tiny(tmp_path / "made" / "other"), "other")
        with encoding(home, bundles_url=str(shared)) as house, closing(house.client()) as client:
            with pytest.raises(NotFound):
                client.model("other")
            assert client.call("LoadModel", wire.LoadModelRequest(model="other")).loaded
            before = client.model("other").words.encode_queries(["red"]).array
        with encoding(home) as again, closing(again.client()) as client:
            assert np.array_equal(client.model("other").words.encode_queries(["red"]).array, before)

    def test_what_was_loaded_is_loaded_again_after_a_restart_until_it_is_let_go(self, tmp_path):
        for name in ("other", "third"):
            proved_tiny(tmp_path / "bundles" / name)
        with encoding(tmp_path) as house, closing(house.client()) as client:
            assert client.call("LoadModel", wire.LoadModelRequest(model="other")).loaded
            assert len(client.model("third").words.encode_queries(["red"])) == 1
        with encoding(tmp_path) as house, closing(house.client()) as client:
            assert loaded(client) == {"other", "tiny"}
            before = client.model("other").words.encode_queries(["red"]).array
            told = client.call("UnloadModel", wire.UnloadModelRequest(model="other"))
            assert not told.loaded
            assert loaded(client) == {"tiny"}
            again = client.model("other").words.encode_queries(["red"]).array
            assert np.array_equal(again, before)
        with encoding(tmp_path) as house, closing(house.client()) as client:
            assert loaded(client) == {"tiny"}

    def test_a_bundle_that_is_gone_at_a_restart_does_not_keep_the_others_away(self, tmp_path):
        (tmp_path / "loaded-bundles").write_text("gone\n../etc\nother\n")
        proved_tiny(tmp_path / "bundles" / "other")
        with encoding(tmp_path) as house, closing(house.client()) as client:
            assert loaded(client) == {"other", "tiny"}

    @pytest.mark.parametrize("name", ["tiny", ""])
    def test_what_the_settings_name_is_not_let_go(self, client, name):
        with pytest.raises(InvalidRequest, match="stays loaded"):
            client.call("UnloadModel", wire.UnloadModelRequest(model=name))

    def test_what_is_not_there_cannot_be_let_go(self, client):
        with pytest.raises(NotFound, match="absent"):
            client.call("UnloadModel", wire.UnloadModelRequest(model="absent"))

    def test_where_none_are_shared_only_those_here_can_be_loaded(self, client):
        with pytest.raises(InvalidRequest, match="no place for shared bundles"):
            client.call("LoadModel", wire.LoadModelRequest(model="other"))

    def test_a_bundle_whose_vectors_are_not_its_goldens_is_not_loaded(self, tmp_path):
        write_tiny(tmp_path / "bundles" / "unproved", name="unproved")
        with (
            encoding(tmp_path) as house,
            closing(house.client()) as client,
            pytest.raises(BrokenBundle, match="no goldens"),
        ):
            client.call("LoadModel", wire.LoadModelRequest(model="unproved"))


class TestTls:
    def test_calls_are_encrypted_and_the_service_proves_who_it_is(self, pair, tmp_path):
        with encoding(tmp_path, rpc_certificate=pair[0], rpc_key=pair[1]) as house:
            with closing(house.client(authority=pair[0])) as client:
                assert len(client.model("tiny").words.encode_queries(["red"])) == 1
            with closing(house.client(deadline_s=1)) as stranger, pytest.raises(Unavailable):
                stranger.names()
            plain = EncodeClient(house.url.replace("grpcs:", "grpc:"), deadline_s=1)
            with closing(plain), pytest.raises(Unavailable):
                plain.names()

    def test_callers_may_have_to_prove_who_they_are(self, pair, tmp_path):
        tls = {"rpc_certificate": pair[0], "rpc_key": pair[1], "rpc_callers": pair[0]}
        with (
            encoding(tmp_path, **tls) as house,
            closing(house.client(authority=pair[0], deadline_s=1)) as client,
            pytest.raises(Unavailable),
        ):
            client.names()

    def test_half_a_pair_is_refused(self, pair, tmp_path):
        with (
            pytest.raises(InvalidRequest, match="both rpc_certificate and rpc_key"),
            encoding(tmp_path, rpc_certificate=pair[0]),
        ):
            pass

    def test_files_that_cannot_be_read_are_named(self, tmp_path):
        absent = tmp_path / "absent.pem"
        with (
            pytest.raises(InvalidRequest, match="certificate for TLS cannot be read"),
            encoding(tmp_path, rpc_certificate=absent, rpc_key=absent),
        ):
            pass
        with pytest.raises(InvalidRequest, match="encoder_ca"):
            EncodeClient("grpcs://localhost:1", authority=absent)
