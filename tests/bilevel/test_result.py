"""Results say why a run stopped."""

import pytest
import torch

from skbamm.bilevel import BilevelResult, Status


@pytest.mark.parametrize("status", Status)
def test_only_convergence_is_success(status):
    zero = torch.zeros(1)
    result = BilevelResult(
        x=zero, y=zero, v=zero, fun=0.0, start=0, kkt_residual=(0.0, 0.0, 0.0), status=status, nit=1
    )
    assert result.success == (status is Status.CONVERGED)
    assert result.message == status.value


def test_every_status_has_words_of_its_own():
    assert len({status.value for status in Status}) == len(Status)
