"""A fold's matrix, and parts of it."""

import numpy as np
import pytest
import scipy.sparse as sp

from skbamm.data.matrices import first_rows


@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix])
def test_the_first_rows_are_no_copy(container):
    X = container(sp.random_array((7, 5), density=0.5, format="csr", rng=0))
    rows = first_rows(X, 4)
    assert type(rows) is container
    assert np.shares_memory(rows.data, X.data)
    np.testing.assert_array_equal(rows.toarray(), X.toarray()[:4])
