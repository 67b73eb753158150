"""Which scikit-learn and SciPy the tests run on, for the few that ask something of a newer one."""

import scipy
import sklearn


def _of(package):
    return tuple(int(part) for part in package.__version__.split(".")[:2])


SKLEARN, SCIPY = _of(sklearn), _of(scipy)
NEWEST = (1, 9)  # scikit-learn that the tests were written for
DISPATCHES = SCIPY >= (1, 14)  # what scikit-learn asks for to dispatch by the array API
