from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crosslens.errors import InvalidRequest, NotFound
from crosslens.hubs.folder import (
    UNKNOWN_LICENCE,
    ModelFolder,
    forbids_commerce,
    licence_of,
    require_no_code,
    require_safe_weights,
)
from crosslens.hubs.sentence import read_recipe


def model(folder: Path, **config: Any) -> ModelFolder:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    return ModelFolder(folder)


def test_a_folder_without_config_is_no_model(tmp_path: Path):
    with pytest.raises(NotFound, match=r"no config\.json"):
        _ = ModelFolder(tmp_path).architecture
    with pytest.raises(NotFound, match="there is no folder"):
        _ = ModelFolder(tmp_path / "nowhere").architecture


def test_a_config_that_is_not_json_is_named(tmp_path: Path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidRequest, match=r"config\.json cannot be read as JSON"):
        _ = ModelFolder(tmp_path).config


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlicense: mit\n---\nx", "mit"),
        ("---\ntags:\n- a\nlicense: 'cc-by-nc-4.0'\n---\n", "cc-by-nc-4.0"),
        ("---\nlicense: other\nlicense_name: jina-research\n---\n", "jina-research"),
        ("# no head", UNKNOWN_LICENCE),
    ],
)
def test_the_licence_is_what_the_readme_says(tmp_path: Path, readme: str, licence: str):
    (tmp_path / "README.md").write_text(readme)
    assert licence_of(ModelFolder(tmp_path)) == licence


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("cc-by-nc-4.0", True),
        ("CC-BY-NC-SA-4.0", True),
        ("non-commercial", True),
        ("some-research-licence", True),
        ("mit", False),
        ("apache-2.0", False),
        ("openrail++", False),
        ("encoder-licence", False),
    ],
)
def test_licences_that_leave_commerce_out_are_known(licence: str, forbids: bool):
    assert forbids_commerce(licence) is forbids


def test_languages_are_read_as_a_list(tmp_path: Path):
    (tmp_path / "README.md").write_text("---\nlanguage:\n- zh\n- en\nlicense: mit\n---\n")
    assert ModelFolder(tmp_path).about()["language"] == ["zh", "en"]
    (tmp_path / "README.md").write_text("---\nlanguage: [zh, en]\n---\n")
    assert ModelFolder(tmp_path).about()["language"] == ["zh", "en"]


def test_a_model_with_its_own_code_is_refused(tmp_path: Path):
    folder = model(tmp_path / "m", auto_map={"AutoModel": "modeling_own.OwnModel"})
    with pytest.raises(InvalidRequest, match=r"needs code from its hub \(modeling_own\.OwnModel\)"):
        require_no_code(folder)
    other = {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"}
    with pytest.raises(InvalidRequest, match="JinaBertModel"):
        require_no_code(model(tmp_path / "j", auto_map=other))


def test_code_that_only_adds_methods_is_left_alone(tmp_path: Path):
    code = {"AutoModel": "modeling_MMRet_CLIP.CLIPModel"}
    require_no_code(model(tmp_path / "m", model_type="clip", auto_map=code))


def test_pickled_weights_are_refused_and_the_way_out_is_said(tmp_path: Path):
    folder = model(tmp_path / "m")
    with pytest.raises(NotFound, match="no weights"):
        require_safe_weights(folder)
    (folder.path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InvalidRequest, match="are pickled") as refused:
        require_safe_weights(folder)
    assert "--convert-pickle" in str(refused.value.hint)
    (folder.path / "model.safetensors").write_bytes(b"x")
    require_safe_weights(folder)


def sentence(folder: ModelFolder, *steps: tuple[str, str], **files: Any) -> ModelFolder:
    modules = [{"idx": n, "type": kind, "path": path} for n, (kind, path) in enumerate(steps)]
    (folder.path / "modules.json").write_text(json.dumps(modules))
    for path, content in files.items():
        place = folder.path / path / "config.json"
        place.parent.mkdir()
        place.write_text(json.dumps(content))
    return folder


TRANSFORMER = ("sentence_transformers.models.Transformer", "")
POOLING = ("sentence_transformers.models.Pooling", "pool")


def test_poolings_are_read_in_the_old_and_the_new_words(tmp_path: Path):
    flags = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    old = sentence(model(tmp_path / "old"), TRANSFORMER, POOLING, pool=flags)
    assert read_recipe(old).poolings == ("cls", "mean")
    new = ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "pool")
    named = {"pooling_mode": "lasttoken", "include_prompt": True}
    assert read_recipe(
        sentence(model(tmp_path / "new"), TRANSFORMER, new, pool=named)
    ).poolings == ("lasttoken",)


@pytest.mark.parametrize(
    ("pooling", "says"),
    [
        ({"pooling_mode": "magic"}, "pooling is 'magic'"),
        ({"pooling_mode": "mean", "include_prompt": False}, "leaves its prompt out"),
    ],
)
def test_poolings_that_are_not_known_are_refused(tmp_path: Path, pooling: Any, says: str):
    folder = sentence(model(tmp_path / "m"), TRANSFORMER, POOLING, pool=pooling)
    with pytest.raises(InvalidRequest, match=says):
        read_recipe(folder)


def test_a_step_of_somebody_else_is_refused(tmp_path: Path):
    folder = sentence(model(tmp_path / "m"), TRANSFORMER, ("custom_st.Magic", "1"))
    with pytest.raises(InvalidRequest, match=r"has a step 'custom_st\.Magic'"):
        read_recipe(folder)


def test_a_step_outside_of_the_folder_is_refused(tmp_path: Path):
    folder = sentence(model(tmp_path / "m"), ("sentence_transformers.models.Transformer", "../x"))
    with pytest.raises(InvalidRequest, match="leads out of the folder"):
        read_recipe(folder)


def test_a_dense_layer_with_an_unknown_activation_is_refused(tmp_path: Path):
    dense = {"activation_function": "os.system"}
    folder = sentence(
        model(tmp_path / "m"), TRANSFORMER, ("sentence_transformers.models.Dense", "d"), d=dense
    )
    with pytest.raises(InvalidRequest, match="activation is 'system'"):
        read_recipe(folder)


@pytest.mark.parametrize(
    ("name", "query", "item"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large-instruct", "", ""),
        ("BAAI/bge-small-zh-v1.5", "为这个句子生成表示以用于检索相关文章：", ""),
        ("BAAI/bge-m3", "", ""),
        ("thenlper/gte-base", "", ""),
    ],
)
def test_prefixes_are_known_by_name_where_the_files_are_silent(
    tmp_path: Path, name: str, query: str, item: str
):
    folder = ModelFolder(model(tmp_path / "m").path, name)
    assert read_recipe(folder).prefixes == (query, item)


def test_prefixes_of_the_files_win(tmp_path: Path):
    folder = ModelFolder(model(tmp_path / "m").path, "intfloat/e5-small")
    prompts = {"prompts": {"query": "ask: ", "document": "told: "}}
    (folder.path / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert read_recipe(folder).prefixes == ("ask: ", "told: ")
