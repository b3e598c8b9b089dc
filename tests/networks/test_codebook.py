import pytest
import torch

from vctlib.networks.codebook import Codebook


def clusters(n: int = 400, spread: float = 0.05) -> torch.Tensor:
    """(1, 2, n, 1, 1): points about the four corners of a square, 90 % of them about the first."""
    corners = torch.tensor([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])
    chosen = torch.multinomial(torch.tensor([0.91, 0.03, 0.03, 0.03]), n, replacement=True)
    points = corners[chosen] + spread * torch.randn(n, 2)
    return points.T.reshape(1, 2, n, 1, 1)


def flat(latents: torch.Tensor) -> torch.Tensor:
    return latents.movedim(1, -1).reshape(-1, latents.shape[1])


def trained(latents, n_codes=8, batches=20) -> Codebook:
    codebook = Codebook(n_codes, latents.shape[1])
    for _ in range(batches):
        codebook(latents)
    return codebook.eval()


def test_output_is_exactly_the_nearest_code():
    latents = torch.randn(2, 3, 4, 5, 6)
    codebook = trained(latents, n_codes=16)
    quantised, _, indices = codebook(latents)
    brute = torch.cdist(flat(latents).double(), codebook.codes.double()).argmin(1)
    assert torch.equal(indices.flatten(), brute)
    assert torch.equal(flat(quantised), codebook.codes[brute])  # the straight-through gradient costs no precision


def test_gradient_passes_straight_through_and_commitment_pulls_to_the_code():
    codebook = trained(torch.randn(1, 3, 4, 4, 4), n_codes=4)
    latents = torch.randn(1, 3, 4, 4, 4, requires_grad=True)
    quantised, commitment, _ = codebook(latents)
    (seen,) = torch.autograd.grad(quantised.square().sum(), latents, retain_graph=True)
    torch.testing.assert_close(seen, 2 * quantised.detach())
    (pull,) = torch.autograd.grad(commitment, latents)
    torch.testing.assert_close(pull, 0.25 * 2 * (latents - quantised).detach() / latents.numel())


def test_every_code_becomes_the_mean_of_what_chose_it():
    latents = clusters()
    codebook = trained(latents, n_codes=4, batches=300)
    indices = codebook(latents)[2].flatten()
    for i, code in enumerate(codebook.codes):
        torch.testing.assert_close(code, flat(latents)[indices == i].mean(0), atol=1e-3, rtol=0)


def test_starts_from_data():
    latents = 100 + torch.randn(1, 2, 50, 1, 1)
    codebook = Codebook(16, 2)
    codebook(latents)
    assert codebook.codes.min() > 90


def test_dead_codes_restart_where_the_error_is():
    """A code far from all data is moved to the rare corner that no code serves, not to the air that fills the batch."""
    latents = clusters(spread=0.0)
    codebook = trained(latents, n_codes=4, batches=5).train()
    codebook.codes.copy_(torch.tensor([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [1e4, 1e4]]))
    codebook.sums.copy_(codebook.codes * 100)
    codebook.usage.copy_(torch.tensor([100.0, 100.0, 100.0, 1e-6]))
    codebook(latents)
    torch.testing.assert_close(codebook.codes[3], torch.tensor([10.0, 10.0]))


def test_perplexity_counts_codes_in_use():
    assert trained(torch.randn(1, 2, 1, 1, 1).expand(1, 2, 50, 1, 1)).perplexity >= 1
    codebook = Codebook(8, 2)
    codebook.usage.copy_(torch.tensor([5.0, 5, 5, 5, 0, 0, 0, 0]))
    assert codebook.perplexity.item() == pytest.approx(4, abs=1e-4)


def test_rare_structures_get_codes():
    """With the restarts most of 64 codes serve an encoder whose latents are 90 % air."""
    latents = torch.cat([torch.zeros(1, 4, 900, 1, 1), torch.randn(1, 4, 100, 1, 1)], 2)
    codebook = Codebook(64, 4)
    for _ in range(100):
        codebook(latents)
    quantised, _, indices = codebook.eval()(latents)
    assert len(indices.unique()) > 40
    assert (quantised - latents)[:, :, 900:].square().mean() < 0.3  # the variance there is 1


def test_float32_under_autocast():
    """bfloat16 knows 3 digits: codes 1e-3 apart at 1 would be one."""
    codes = 1 + 1e-3 * torch.arange(8.0)[:, None].expand(8, 2)
    codebook = Codebook(8, 2).eval()
    codebook.codes.copy_(codes)
    with torch.autocast("cpu", torch.bfloat16):
        quantised, commitment, indices = codebook(codes.T.reshape(1, 2, 8, 1, 1).contiguous())
    assert quantised.dtype == commitment.dtype == torch.float32
    assert torch.equal(indices.flatten(), torch.arange(8))


@pytest.mark.parametrize("how", ["eval", "no_grad"])
def test_learns_only_in_training_with_gradients(how):
    codebook = Codebook(8, 2)
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    if how == "eval":
        codebook.eval()(clusters())
    else:
        with torch.no_grad():
            codebook(clusters())
    assert all(torch.equal(value, before[name]) for name, value in codebook.state_dict().items())


def test_resumes_exactly_from_its_state_and_seed():
    batches = [clusters() for _ in range(6)]
    whole = Codebook(8, 2)
    for i, batch in enumerate(batches):
        torch.manual_seed(i)
        whole(batch)
    first = Codebook(8, 2)
    first.load_state_dict(whole.state_dict())
    assert not list(first.parameters())  # nothing that an optimizer or a weight decay could move
    begun = Codebook(8, 2)
    for i, batch in enumerate(batches[:3]):
        torch.manual_seed(i)
        begun(batch)
    resumed = Codebook(8, 2)
    resumed.load_state_dict(begun.state_dict())
    for i, batch in enumerate(batches[3:], start=3):
        torch.manual_seed(i)
        resumed(batch)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_warmup_passes_latents_through_and_then_draws_codes_from_them():
    torch.manual_seed(0)
    codebook = Codebook(8, 2, warmup=2).train()
    latents = torch.randn(1, 2, 4, 4, 4, requires_grad=True)
    for _ in range(2):
        quantised, commitment, _ = codebook(latents)
        assert torch.equal(quantised, latents) and commitment == 0 and not codebook.initialised
    quantised, _, indices = codebook(latents)
    assert codebook.initialised
    drawn = {tuple(row) for row in latents.detach().movedim(1, -1).reshape(-1, 2).tolist()}
    assert {tuple(row) for row in quantised.detach().movedim(1, -1).reshape(-1, 2).tolist()} <= drawn
    assert len(indices.unique()) > 1
