import pytest
import torch

from crosslens.errors import InvalidRequest
from crosslens.train.generator_config import CriticConfig
from crosslens.train.generator_critic import Critic, apart, misled

pytestmark = pytest.mark.train


def looks(seed: int, *, scale: float = 1.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(3, 8, side, side, generator=generator) for side in (8, 4, 2)]


def test_looks_differ_by_direction_and_not_by_size():
    assert torch.equal(apart(looks(1), looks(1)), torch.zeros(3))
    torch.testing.assert_close(
        apart(looks(1), looks(1, scale=3)), torch.zeros(3), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        apart(looks(1), [-each for each in looks(1)]), torch.full((3,), 4.0), atol=1e-4, rtol=0
    )
    assert 0 < float(apart(looks(1), looks(2)).mean()) < 4


def test_bare_places_of_both_pictures_look_alike():
    bare = [torch.zeros_like(each, requires_grad=True) for each in looks(1)]
    found = apart(bare, [torch.zeros_like(each) for each in bare])
    found.sum().backward()
    assert float(found.detach().sum()) == 0.0
    assert all(torch.isfinite(each.grad).all() for each in bare if each.grad is not None)


def test_pictures_that_are_named_alike_mislead_nobody():
    said = {
        "kind": torch.tensor([[4.0, 0.0], [0.0, 4.0]]),
        "colour": torch.tensor([[1.0, 2.0, 0.0]] * 2),
    }
    other = {**said, "kind": torch.tensor([[4.0, 0.0], [4.0, 0.0]])}
    assert torch.equal(misled(said, said), torch.zeros(2))
    moved = {name: each + 3 for name, each in said.items()}  # the same shares
    torch.testing.assert_close(misled(moved, said), torch.zeros(2), atol=1e-6, rtol=0)
    found = misled(other, said)
    # Of two attributes one is named otherwise: (4 - -4) nats, as often as it was sure.
    sure = torch.sigmoid(torch.tensor(4.0))
    torch.testing.assert_close(found, torch.stack([torch.tensor(0.0), 4 * (2 * sure - 1) / 2]))


def test_a_critic_sees_on_four_grids_and_names_by_the_last():
    config = CriticConfig(folder=".", widths=(8, 8, 16, 24))
    critic = Critic(config, {"colour": 3}).eval()
    seen = critic(torch.zeros(2, 32, 32, 3))
    assert [tuple(each.shape[1:]) for each in seen] == [
        (8, 16, 16), (8, 8, 8), (16, 4, 4), (24, 2, 2),
    ]  # fmt: skip
    assert [tuple(each.shape) for each in critic.named(seen[-1]).values()] == [(2, 3)]


@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 8, 8, 9), (8, 8, 8, 0)])
def test_a_critic_refuses_widths_that_it_cannot_have(widths: tuple[int, ...]):
    with pytest.raises(InvalidRequest, match="widths"):
        CriticConfig(folder=".", widths=widths)
