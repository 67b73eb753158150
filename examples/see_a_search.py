"""
See what a search found
=======================

A search over an interval returns one value. ``SearchDisplay`` shows the rest: how the score depends
on the value, how sure that is, and how the search came there.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, SearchDisplay

# %%
# One value
# ---------
# With ``X`` and ``y`` the score is computed all over the interval, on the search's own splits. The
# dark band is one standard error of the mean on both sides, the light one goes from the worst fold
# to the best. Values whose score is within the dark band at the star are as good as it, for all
# that the folds can tell. Below is the path: one point for each iteration, time runs down.

X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
search = BAMMSearchCV(model, {"logisticregression__C": (1e-4, 1e4)}, scoring="neg_log_loss")
search.fit(X, y)
display = SearchDisplay.from_estimator(search, X, y)

# %%
# In words:

print(search.report())

# %%
# Two values
# ----------
# Two parameters make a map.

X, y = load_diabetes(return_X_y=True)
grid = {"alpha": (1e-4, 10.0), "gamma": (1e-2, 1e2)}
search = BAMMSearchCV(KernelRidge(kernel="rbf"), grid, scoring="neg_mean_squared_error").fit(X, y)
map_display = SearchDisplay.from_estimator(search, X, y)

# %%
# As a script, this writes the pictures to a folder.

if __name__ == "__main__":
    folder = Path("demo_output")
    folder.mkdir(exist_ok=True)
    display.figure_.savefig(folder / "search_curve.png", dpi=130)
    map_display.figure_.savefig(folder / "search_map.png", dpi=130)
    plt.close("all")
