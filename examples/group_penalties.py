"""
One penalty for each group of features
======================================

Features come in groups: body measures and blood values, words and metadata, squares and products
of other features. Some groups are informative and others are not, yet one penalty treats all alike:
weak enough for the former, it lets in the noise of the latter. ``PerGroup`` and ``PerFeature``
learn a penalty for each group, or each feature, and shrink them towards each other; the amount is
chosen on held-out rows.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ShuffleSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skbamm import BAMMSearchCV, PenaltyBarDisplay, PenaltyPathDisplay, PerFeature, PerGroup

# %%
# Nine groups
# -----------
# The ten features of the diabetes data are of three kinds: the patient (age and sex), the body
# (body mass index and blood pressure) and six blood values. Their squares and products make 65
# columns, most of which are uninformative. Each pair of kinds is a group.

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = make_pipeline(
    StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), Ridge()
)
kinds = ["patient"] * 2 + ["body"] * 2 + ["serum"] * 6
powers = model[:2].fit(X)[-1].powers_  # (65, 10)
groups = [" x ".join(np.repeat(kinds, power)) for power in powers]
for group in dict.fromkeys(groups):
    print(f"{group:20}{groups.count(group):3} columns")

# %%
# The gain on fresh rows
# ----------------------
# In each of five splits the search, with its own cross-validation, gets 300 patients, and 142 are
# the test set: a nested cross-validation. ``best_score_`` is the score of the inner one, at values
# that were fitted to it. It is the more optimistic, the more values there are; the test set shows
# the real gain.

interval = 1.0, 3e3
searched = {
    "one penalty": interval,
    "one a group": PerGroup(*interval, groups),
    "one a feature, not drawn together": PerFeature(*interval, shrinkage=False),
}
outer = ShuffleSplit(5, train_size=300, random_state=1)
nested, promised = {}, {}
print(f"{'R2 of':34}{'best_score_':>13}{'test':>8}   more than one penalty: promised, kept")
for name, alpha in searched.items():
    inner = KFold(5, shuffle=True, random_state=0)
    search = BAMMSearchCV(model, {"ridge__alpha": alpha}, cv=inner, max_iter=300)
    nested[name] = cross_validate(search, X, y, cv=outer, return_estimator=True)
    promised[name] = np.mean([found.best_score_ for found in nested[name]["estimator"]])
    kept = nested[name]["test_score"].mean()
    told = f"{name:34}{promised[name]:13.3f}{kept:8.3f}"
    if name != "one penalty":
        more = promised[name] - promised["one penalty"]
        told += f"{more:+26.3f}{kept - nested['one penalty']['test_score'].mean():+15.3f}"
    print(told)

figure, ax = plt.subplots(num="group_penalties_test", figsize=(7, 2.6), layout="constrained")
base = nested["one penalty"]["test_score"]
for line, found in enumerate(nested.values()):
    gain = found["test_score"] - base
    ax.plot(gain, np.full(len(gain), line), "o", color="C0", alpha=0.5, clip_on=False)
    ax.plot(gain.mean(), line, "|", color="0.5", ms=18, mew=2)
ax.set(xlabel="R² on fresh rows, beside that of one penalty", ylim=(len(nested) - 0.5, -0.5))
ax.set_yticks(range(len(nested)), list(nested))
ax.axvline(0, color="0.7", lw=0.8, zorder=0)
ax.tick_params(axis="y", length=0)
ax.spines[["top", "right", "left"]].set_visible(False)

# %%
# What was learned
# ----------------
# The first of these searches penalises the body measures less than one penalty for all does, and
# almost all products much more. ``dropped_`` has the groups whose penalty is at the strong end of
# the interval. Ridge regression does not set coefficients to zero: at that end a column keeps about
# a tenth of its coefficient, 300 / (300 + 3000).

search = nested["one a group"]["estimator"][0]
display = PenaltyBarDisplay.from_estimator(search)
display.figure_.set_label("group_penalties_bars")
print("dropped:", search.dropped_)

# %%
# How it was found
# ----------------
# From left to right the values are shrunk towards each other less and less (``spread``); then a
# price on degrees of freedom (``freedom``) raises the penalties that are not needed. On the
# splits that the values are fitted to (CV) the loss falls steadily; held-out rows decide how far
# to go. The first point whose held-out loss equals the best one's, up to half a standard error,
# is selected.

display = PenaltyPathDisplay.from_estimator(search)
display.figure_.set_label("group_penalties_path")

# %%
# One for each feature
# --------------------
# No groups are needed. Here the loss of the splits (CV) falls to a point where held-out rows gain
# least. With a price, 27 of the 65 columns are dropped. Those that stand out are those that other
# methods find in these data too: body mass index, blood pressure, the blood values s3 and s5, sex,
# and sex with age.

each = BAMMSearchCV(model.set_output(transform="pandas"), {"ridge__alpha": PerFeature(*interval)})
each.fit(X, y)
display = PenaltyPathDisplay.from_estimator(each)
display.figure_.set_label("group_penalties_features")
display = PenaltyBarDisplay.from_estimator(each, max_shown=16)
display.figure_.set_label("group_penalties_feature_bars")

# %%
# A script writes the pictures to ``demo_output/``.

for name in plt.get_figlabels():  # in the documentation's gallery none is left
    path = Path("demo_output") / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    plt.figure(name).savefig(path, dpi=130)
    print(f"wrote {path}")
