import pytest
import torch

from crosslens.train.config import ModelConfig
from crosslens.train.model import DualEncoder
from unit.train.shops import TINY

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(TINY, heads={"colour": 4}).eval()


def lengths(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.detach().norm(dim=1)


@pytest.mark.parametrize("side", [64, 96, 128, 160])
def test_pictures_of_any_side_become_unit_vectors(model: DualEncoder, side: int):
    found = model.picture(torch.randn(3, 3, side, side))
    assert found.shape == (3, TINY.dim)
    assert torch.allclose(lengths(found), torch.ones(3), atol=1e-5)


def test_padding_does_not_change_a_text(model: DualEncoder):
    short, long = torch.tensor([[1, 7, 9]]), torch.tensor([[1, 7, 9, 0, 0]])
    first = model.text(short, torch.ones_like(short))
    second = model.text(long, (long > 0).long())
    assert torch.allclose(first, second, atol=1e-6)


def test_a_text_does_not_depend_on_the_others_in_its_batch(model: DualEncoder):
    ids = torch.randint(1, 99, (4, 6))
    mask = torch.ones_like(ids)
    alone = torch.cat([model.text(ids[n : n + 1], mask[n : n + 1]) for n in range(4)])
    assert torch.allclose(alone, model.text(ids, mask), atol=1e-6)


def test_the_grid_tells_where_things_are(model: DualEncoder):
    picture = torch.zeros(1, 3, 128, 128)
    picture[..., :48, :48] = 2.0
    turned = picture.flip(3)
    assert not torch.allclose(model.picture(picture), model.picture(turned), atol=1e-3)


def test_the_built_in_shape_is_small():
    model = DualEncoder(ModelConfig())
    assert sum(p.numel() for p in model.picture.parameters()) < 2.5e6
    assert sum(p.numel() for p in model.text.parameters()) < 2.5e6
