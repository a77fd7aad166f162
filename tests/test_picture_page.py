"""Pictures saved from the stage: what is exported equals what is seen."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from stage_driver import StageDriver

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def stage(page, replay_file):
    page.goto(f"{replay_file.as_uri()}?tree=1&it=1&phase=repair&step=4")
    return StageDriver(page, replay_file.as_uri()).wait()


def save(stage, what, form):
    stage.click("picture")
    stage.part("picture-what").select_option(what)
    stage.part("picture-form").select_option(form)
    with stage.page.expect_download() as download:
        stage.click("save")
    return download.value.suggested_filename, download.value.path().read_bytes()


def brightness(content, size=None):
    picture = Image.open(io.BytesIO(content)).convert("L")
    return np.asarray(picture.resize(size) if size else picture, dtype=float)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_the_tree_is_saved_as_vectors_with_all_styles_inside(page, stage, scheme):
    page.emulate_media(color_scheme=scheme)
    name, content = save(stage, "tree", "svg")
    assert name == "tree-1-iteration-1-repair-step-5.svg"
    text = content.decode()
    assert not re.search(r"var\(|color\(|color-mix|class=|style=|data-part|href", text)
    root = ElementTree.fromstring(text)
    assert root.find(f"{SVG}title").text.startswith("Tree 1: of 511 nodes the search reads ")
    assert root.find(f"{SVG}rect").get("fill") == ("#fff" if scheme == "light" else "#0e1117")
    assert len([one for one in root.iter() if one.get("data-node")]) == len(stage.states())
    firing = len(stage.nodes_with("firing"))
    assert firing and len([one for one in root.iter() if one.get("fill") == "#e69f00"]) == firing


@pytest.mark.parametrize(
    "what", ["plane", *(pytest.param(what, marks=pytest.mark.slow) for what in ("tree", "atlas", "output"))]
)
def test_what_is_painted_is_what_is_seen(page, stage, what):
    seen = brightness(stage.part(what).screenshot())
    for scale in (2, 4) if what == "plane" else (2,):
        name, content = save(stage, what, str(scale))
        assert name.endswith(".png")
        picture = Image.open(io.BytesIO(content))
        box = stage.part(what).bounding_box()
        assert abs(picture.width - scale * box["width"]) <= scale
        assert abs(picture.height - scale * box["height"]) <= scale
        painted = brightness(content, seen.shape[::-1])
        assert np.corrcoef(painted.ravel(), seen.ravel())[0, 1] > 0.8
        assert abs(painted.mean() - seen.mean()) < 4


def test_pictures_that_are_not_there_are_not_offered(stage):
    stage.click("picture")
    options = stage.part("picture-what").locator("option").all_inner_texts()
    assert options == ["tree", "forest atlas", "neurons in weight space", "output over the input plane"]
    stage.click("close")
    assert not stage.part("picture-menu").is_visible()
