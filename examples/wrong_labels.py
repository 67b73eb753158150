"""
Which labels are wrong?
=======================

Two in five labels of a thousand handwritten digits are wrong, and it is unknown which.
``BAMMSearchCV`` with ``sample_weights=SampleWeights()`` learns a weight for each training row
together with the penalty of the model: rows whose labels contradict the others get small weights.
``label_quality_`` is the probability that a label is right.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skbamm import BAMMSearchCV, LabelIssuesDisplay, SampleWeights

# %%
# Wrong labels
# ------------
# A wrong label is any of the nine others, at random. The test rows keep the right ones.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_clean, y_test = train_test_split(
    X / 16, y, train_size=1000, stratify=y, random_state=0
)
rng = np.random.default_rng(0)
flipped = rng.choice(1000, size=400, replace=False)
y_train = y_clean.copy()
y_train[flipped] = (y_clean[flipped] + rng.integers(1, 10, size=400)) % 10
wrong = y_train != y_clean

# %%
# Three searches
# --------------
# The first trusts every label. The second learns weights. The third is an oracle: it leaves out the
# rows with wrong labels, and shows the best possible result.

model, grid = LogisticRegression(max_iter=1000), {"C": (1e-3, 1e2)}
plain = BAMMSearchCV(model, grid).fit(X_train, y_train)
weighted = BAMMSearchCV(model, grid, sample_weights=SampleWeights()).fit(X_train, y_train)
oracle = BAMMSearchCV(model, grid).fit(X_train[~wrong], y_train[~wrong])

rows = {"every label believed": plain, "learned weights": weighted, "oracle": oracle}
print(f"{'':22}{'C':>9}{'test accuracy':>15}")
for name, search in rows.items():
    accuracy = np.mean(search.predict(X_test) == y_test)
    print(f"{name:22}{search.best_params_['C']:>9.3g}{accuracy:>15.3f}")

# %%
# Labels, right and wrong
# -----------------------
# ``label_issues_`` is the decision, ``label_quality_`` the probability behind it. The colours show
# the truth, which the search does not know.

issues, quality = weighted.label_issues_, weighted.label_quality_
print(f"{issues.sum()} labels are called wrong, {(issues & wrong).sum()} of them rightly;")
print(f"{(~issues & wrong).sum()} of the {wrong.sum()} wrong ones are missed.")

figure, ax = plt.subplots(num="wrong_labels_quality", figsize=(7, 3.8), layout="constrained")
counts, _, _ = ax.hist(
    [quality[wrong], quality[~wrong]],
    bins=25,
    range=(0, 1),
    stacked=True,
    color=["C3", "C0"],
    label=["wrong labels", "right labels"],
)
above = 1.3 * np.max(counts)  # room for words over the bars
low, high = (quality[wrong] < 0.5).sum(), (quality[~wrong] >= 0.5).sum()
ax.text(0.01, 0.98 * above, f"{low} of {wrong.sum()} wrong labels\nbelow 0.5", color="C3", va="top")
ax.text(
    0.99,
    0.98 * above,
    f"{high} of {(~wrong).sum()} right labels\nfrom 0.5 on",
    color="C0",
    ha="right",
    va="top",
)
ax.set(xlim=(0, 1), ylim=(0, above), xlabel="label_quality_", ylabel="training rows")
ax.legend(loc="upper center", frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# The least likely labels
# -----------------------
# Above each picture are the given label and, after the arrow, the prediction of the final model.

display = LabelIssuesDisplay.from_estimator(weighted, X_train, y_train, images=(8, 8))
display.figure_.set_label("wrong_labels_rows")
print(f"{wrong[display.rows].sum()} of these {len(display.rows)} labels are wrong.")

# %%
# A script writes the pictures to ``demo_output/``.

for name in plt.get_figlabels():  # in the documentation's gallery none is left
    path = Path("demo_output") / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    plt.figure(name).savefig(path, dpi=130)
    print(f"wrote {path}")
