# %% [markdown]
# # 2.2 Data preprocessing
#
# Data comes as tables with gaps and words in them; a model takes arrays of numbers. This section goes from the one to
# the other: inputs and targets are separated, gaps filled, words turned into numbers. What has to be learnt for that,
# a mean for example, is learnt from the **training rows only** and then applied to any rows. In this package it is a
# value that can be looked at: `fit(train) -> fitted`, then `apply(fitted, rows)`.

# %%
# %matplotlib inline
import inspect
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from jaxd2l.book import preprocessing

# %% [markdown]
# ## Reading the table
#
# The book's four houses. `NA` becomes NaN, "not a number": a missing value.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "house_tiny.csv")
    path.write_text("NumRooms,RoofType,Price\nNA,NA,127500\n2,NA,106000\n4,Slate,178100\nNA,NA,140000\n")
    houses = pd.read_csv(path)
houses

# %% [markdown]
# The first questions to any table: what does each column hold, and how much of it is missing?

# %%
pd.DataFrame(preprocessing.summarize(houses))

# %% [markdown]
# ## From a table to numbers
#
# Columns are selected by name, which goes on working when somebody adds a column; the book's `iloc[:, 0:2]` does not.
# Then two rules. In a column of words, each category gets a column of 0 and 1 (one-hot), and being missing is a
# category of its own: `RoofType_nan` is 1 where the roof type is missing. In a column of numbers, the mean stands in
# for what is missing.

# %%
inputs, targets = preprocessing.select(houses, ["NumRooms", "RoofType"]), houses["Price"]
fitted = preprocessing.fit(inputs, method="mean")
print("learnt:", fitted.imputation.fill, fitted.encoding.categories)
preprocessing.features(fitted, inputs)

# %% [markdown]
# The work is done by two functions that can be used on their own, `impute` and `encode`. This is all there is to
# `features`:

# %%
print(inspect.getsource(preprocessing.features))

# %% [markdown]
# The book's two lines of pandas give the same table. They learn the mean and the categories from whatever rows they are
# given, so that test rows would get another mean, and other columns.

# %%
by_pandas = pd.get_dummies(inputs, dummy_na=True)
by_pandas = by_pandas.fillna(by_pandas.mean())
print(by_pandas.astype(float).equals(preprocessing.features(fitted, inputs)))

# %% [markdown]
# ## Conversion to arrays
#
# `apply` is `features` followed by `to_array`. The arrays are float32, which is what JAX computes in; PyTorch keeps
# pandas' float64.

# %%
X, y = preprocessing.apply(fitted, inputs), preprocessing.to_array(targets)
print(X)
print(y)
in_torch = torch.tensor(by_pandas.to_numpy(dtype=float))
print("torch:", in_torch.dtype, " package:", X.dtype, " JAX, given float64:", jnp.asarray(in_torch.numpy()).dtype)
print("same numbers:", bool((in_torch.numpy() == X).all()))

# %% [markdown]
# float32 has 24 binary digits: whole numbers are exact up to $2^{24} = 16\,777\,216$. So statistics are computed in
# float64 first, and only the result is shortened.

# %%
print(preprocessing.to_array(pd.Series([16_777_216, 16_777_217], name="Price")).astype(int))

# %% [markdown]
# ## New rows
#
# Rows that were not there in training are treated with what was learnt in training: the mean of the rooms is still 3.
# What cannot be treated is refused, where `get_dummies` would return another number of columns without a word.

# %%
print(preprocessing.apply(fitted, pd.DataFrame({"NumRooms": [None, 7], "RoofType": ["Slate", None], "Pool": [1, 0]})))
empty = inputs.assign(NumRooms=np.nan)
for attempt in (
    lambda: preprocessing.apply(fitted, pd.DataFrame({"NumRooms": [3], "RoofType": ["Thatch"]})),
    lambda: preprocessing.apply(fitted, pd.DataFrame({"NumRooms": [3]})),
    lambda: preprocessing.fit(empty),
):
    try:
        attempt()
    except (KeyError, ValueError) as error:
        print(f"{type(error).__name__}: {error.args[0]}")
print("a constant needs no value:", preprocessing.apply(preprocessing.fit(empty, "constant"), empty)[:, 0])

# %% [markdown]
# ## Other ways to fill a gap
#
# The median is not moved by one mansion; the mode is the most frequent value and works for words, too; a constant says
# "not given". **KNN** is a model: the mean of the most similar rows, here by area (`sklearn.impute.KNNImputer`, on
# standardised columns so that metres do not outweigh rooms). The mansion is 30 rooms on 900 m².

# %%
table = pd.DataFrame({"Area": [50, 52, 110, 115, 900, 112], "NumRooms": [2, 2, 5, 4, 30, None]})
standardization = preprocessing.fit_standardization(table)
mean, std = standardization.mean["NumRooms"], standardization.std["NumRooms"]
for method in ("mean", "median", "mode", "constant"):
    print(f"{method:9}", preprocessing.impute(preprocessing.fit_imputation(table, method), table)["NumRooms"][5])
knn = preprocessing.fit_imputation(preprocessing.standardize(standardization, table), "knn", neighbors=2)
filled = preprocessing.impute(knn, preprocessing.standardize(standardization, table))["NumRooms"] * std + mean
print(f"knn       {filled[5]:.1f}")

# %% [markdown]
# Or nothing is filled, and **rows or columns are deleted**: honest, and costly. Of four houses one is complete; one of
# three columns is.

# %%
print(len(houses.dropna()), preprocessing.columns_present(houses, max_missing=0.2))

# %% [markdown]
# ## Why is it missing?
#
# Whether a gap can be filled depends on why it is there, and that cannot be read off the table. Let $m$ say whether $x$
# is missing, and let $z$ be what else is in the row.
#
# - **MCAR**, missing completely at random: $P(m \mid x, z) = P(m)$. A page was lost. The rows left are a fair sample.
# - **MAR**, missing at random: $P(m \mid x, z) = P(m \mid z)$. Owners of large lots do not state the size of the house.
#   The rows left are not fair, but among rows of equal $z$ they are: a model of $x$ given $z$ repairs it.
# - **NMAR**, not missing at random: $P(m)$ depends on $x$ itself. Owners of large houses do not state their size. What
#   is needed to repair it is just what is missing.
#
# A simulation knows the missing values. Houses have 120 m² on average and a standard deviation of 40; lots correlate
# with them at .8. Each mechanism hides about half of the houses' sizes.

# %%
keys = jax.random.split(jax.random.key(0), 3)
n = 1500
z_house = np.asarray(jax.random.normal(keys[0], n))
z_lot = 0.8 * z_house + 0.6 * np.asarray(jax.random.normal(keys[1], n))
true = pd.DataFrame({"Lot": 600 + 200 * z_lot, "House": 120 + 40 * z_house})
chance = np.asarray(jax.random.uniform(keys[2], n))
missing = {
    "MCAR": chance < 0.5,
    "MAR": chance < 1 / (1 + np.exp(-3 * z_lot)),
    "NMAR": chance < 1 / (1 + np.exp(-3 * z_house)),
}

# %%
figure, panels = plt.subplots(1, 3, figsize=(8.5, 3.2), sharey=True, layout="constrained")
for axes, (name, is_missing) in zip(panels, missing.items(), strict=True):
    for chosen, label, style in (
        (~is_missing, "there", {"marker": "o", "color": "#0072B2", "alpha": 0.6}),
        (is_missing, "missing", {"marker": "x", "color": "#D55E00"}),
    ):
        shown = true[chosen][:120]
        axes.scatter(shown["Lot"], shown["House"], s=14, linewidths=0.8, label=label, **style)
    axes.set(title=name, xlabel="lot (m²)", xlim=(0, 1300))
panels[0].set_ylabel("house (m²)")
legend = figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)

# %% [markdown]
# The table below has, for each mechanism, the mean and the standard deviation of the houses' sizes after the gaps were
# filled by the mean and by KNN, and the typical error of a filled value. The mean keeps what bias the rows left have,
# and always squeezes the spread, for it adds 750 equal values. KNN repairs most of MAR. Of NMAR it repairs a part,
# by as much as the lot gives away, and no method can know how much is left.

# %%
rows = []
for name, is_missing in missing.items():
    table = true.assign(House=true["House"].mask(is_missing))
    standardization = preprocessing.fit_standardization(table)
    scaled = preprocessing.standardize(standardization, table)
    for method in ("mean", "knn"):
        imputation = preprocessing.fit_imputation(scaled, method, neighbors=20)
        house = preprocessing.impute(imputation, scaled)["House"]
        house = house * standardization.std["House"] + standardization.mean["House"]
        error = np.sqrt(np.mean((house - true["House"])[is_missing] ** 2))
        rows.append({"why": name, "filled by": method, "mean": house.mean(), "sd": house.std(), "error": error})
rows.append({"why": "nothing missing", "filled by": "", "mean": true["House"].mean(), "sd": true["House"].std()})
pd.DataFrame(rows).round(1)

# %% [markdown]
# ## Exercises
#
# **1. Inspect a data set: what is missing, and of what kind are the columns?** `summarize` above. A column of strings
# with more than 50 different values counts as text:

# %%
n = 400
streets = np.asarray(jax.random.geometric(jax.random.key(1), 0.2, (n,)))
listing = pd.DataFrame(
    {
        "Rooms": np.where(chance[:n] < 0.1, np.nan, np.round(true["House"][:n] / 30)),
        "Street": [f"Street {i:02}" for i in streets],
        "Advertisement": [f"No {i}: a fine house" for i in range(n)],
    }
)
summary = preprocessing.summarize(listing)
print({kind: sum(column.kind == kind for column in summary) for kind in ("numeric", "categorical", "text")})
pd.DataFrame(summary).round(3)

# %% [markdown]
# **2. Select columns by name.** `preprocessing.select` did; a name that no column has is an error.
#
# **3. How large a table can be loaded this way?** All of it is in memory at once, and more than once: text, frame,
# array. A number takes 8 bytes in the frame and 4 in the array. Words take more: as one-hot columns of float32, each
# category costs 4 bytes a row. Beyond memory, `pd.read_csv(chunksize=...)` reads piece by piece.
#
# **4. What if there are very many categories, or every label is unique?** Rare ones are grouped: with `min_count=20`,
# a street that stands in fewer than 20 training rows is `other`, and so is a street that was never seen. A label that
# is different in every row identifies the row and predicts nothing about another: it is left out, and `fit` refuses it.

# %%
grouped = preprocessing.fit(listing[["Rooms", "Street"]], min_count=20)
print(
    preprocessing.apply(grouped, listing).shape,
    "instead of",
    preprocessing.apply(preprocessing.fit(listing[["Rooms", "Street"]]), listing).shape,
)
new = preprocessing.features(grouped, pd.DataFrame({"Rooms": [3], "Street": ["Street 99"]}))
print("unseen:", new.columns[new.iloc[0] == 1].tolist())
try:
    preprocessing.fit(listing)
except ValueError as error:
    print("ValueError:", str(error).partition(" (")[0], "has no categories")

# %% [markdown]
# One-hot columns can also be projected onto the few directions in which the rows vary most, **PCA**, fitted on training
# rows like everything else:

# %%
numbers = preprocessing.apply(preprocessing.fit(listing[["Rooms", "Street"]], standardized=True), listing)
pca = preprocessing.fit_pca(numbers[:300], num_components=4)
print(preprocessing.project(pca, numbers[300:]).shape, "keeps", pca.explained.round(2), "of the variance")

# %% [markdown]
# **5. What else is there than pandas?** Once a table has become arrays it need not be read as a table again. NumPy's
# own files load without parsing, and `mmap_mode="r"` reads only what is used; torch's counterpart is `torch.save`.

# %%
with tempfile.TemporaryDirectory() as folder:
    np.save(Path(folder, "X.npy"), X)
    np.savez(Path(folder, "both.npz"), X=X, y=y)
    print(bool((np.load(Path(folder, "X.npy"), mmap_mode="r") == X).all()))
    with np.load(Path(folder, "both.npz")) as both:
        print({name: (array.shape, str(array.dtype)) for name, array in both.items()})

# %% [markdown]
# ## Side by side
#
# | | the book (pandas, PyTorch) | this package |
# |---|---|---|
# | inputs and targets | `data.iloc[:, 0:2]` | `select(frame, names)` |
# | categories | `get_dummies(dummy_na=True)`: of the rows at hand | `fit_encoding(train)`, `encode(fitted, rows)` |
# | missing numbers | `fillna(inputs.mean())`: of the rows at hand | `fit_imputation(train)`, `impute(fitted, rows)` |
# | arrays | `torch.tensor(...)`, float64 | `to_array`, float32 |
# | a gap left over | NaN goes on into the tensor | `ValueError` with the column |
#
# ## Summary
#
# Gaps are filled and words become one-hot columns by rules learnt from the training rows, kept as values, and applied
# to any rows. Which rule is right depends on why values are missing: a mean serves if they are missing completely at
# random, a model such as KNN can use the other columns, and what is not missing at random cannot be repaired from the
# table alone.
