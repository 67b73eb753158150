"""
What a search tells while it runs
=================================

``verbose=1`` prints what is searched or solved, and shows a bar in terminals and notebooks.
"""

from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skbamm import BAMMSearchCV

X, y = make_classification(20_000, 100, n_informative=30, n_classes=4, random_state=0)
model = LogisticRegression(max_iter=500)

# %%
# An interval:

search = BAMMSearchCV(model, {"C": (1e-4, 1e4)}, scoring="neg_log_loss", verbose=1)
search.fit(X, y)

# %%
# A list:

values = {"C": [0.0001, 0.001, 0.01, 0.1]}
BAMMSearchCV(model, values, scoring="neg_log_loss", verbose=1).fit(X, y)

# %%
# In words:

print(search.report())
