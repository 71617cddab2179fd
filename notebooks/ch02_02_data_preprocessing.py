# %% [markdown]
# # 2.2 Data preprocessing
#
# Data often comes as tables with gaps and words in them, but a model takes arrays of numbers. This section goes from
# one to the other: it separates inputs from targets, fills the gaps, and turns words into numbers. Some of these steps
# have to learn something first, such as a mean. They learn it from the **training rows only** and then apply it to any
# rows. In this package, what they learn is a value that you can look at: `fit(train) -> fitted`, then `apply(fitted,
# rows)`.
#
# [This section in the book](https://d2l.ai/chapter_preliminaries/pandas.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from jaxd2l.book import preprocessing

# %% [markdown]
# ## Reading the table
#
# The book's table has four houses. pandas reads `NA` as NaN, "not a number", which marks a missing value.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "house_tiny.csv")
    path.write_text("NumRooms,RoofType,Price\nNA,NA,127500\n2,NA,106000\n4,Slate,178100\nNA,NA,140000\n")
    houses = pd.read_csv(path)
houses

# %% [markdown]
# Start with two questions about any table: what does each column hold, and how much of it is missing?

# %%
pd.DataFrame(preprocessing.summarize(houses))

# %% [markdown]
# ## From a table to numbers
#
# We select columns by name. That still works after somebody adds a column, unlike the book's `iloc[:, 0:2]`. Then two
# rules apply. In a column of words, each category gets a column of zeros and ones (one-hot), and "missing" is a
# category of its own: `RoofType_nan` is 1 where the roof type is missing. In a column of numbers, the mean replaces
# each missing value.

# %%
inputs, targets = preprocessing.select(houses, ["NumRooms", "RoofType"]), houses["Price"]
fitted = preprocessing.fit(inputs, method="mean")
print("learnt:", fitted.imputation.fill, fitted.encoding.categories)
preprocessing.features(fitted, inputs)

# %% [markdown]
# Two functions do the work, and you can use each on its own: `impute` fills the gaps and `encode` makes the one-hot
# columns. `features` calls one after the other:

# %%
filled = preprocessing.impute(fitted.imputation, inputs)
encoded = preprocessing.encode(fitted.encoding, filled)
print(encoded.equals(preprocessing.features(fitted, inputs)))

# %% [markdown]
# The book's two lines of pandas give the same table. But they learn the mean and the categories from the rows at hand,
# so test rows would get a different mean and different columns.

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

# %%
# %%torch
import torch

in_torch = torch.tensor(by_pandas.to_numpy(dtype=float))
print("torch:", in_torch.dtype, " package:", X.dtype, " JAX, given float64:", jnp.asarray(in_torch.numpy()).dtype)
print("same numbers:", bool((in_torch.numpy() == X).all()))

# %% [markdown]
# float32 has 24 binary digits, so whole numbers are exact up to $2^{24} = 16\,777\,216$. That is why the package
# computes statistics in float64 and rounds only the result to float32.

# %%
print(preprocessing.to_array(pd.Series([16_777_216, 16_777_217], name="Price")).astype(int))

# %% [markdown]
# ## New rows
#
# New rows are filled and encoded with what was learnt in training: the mean number of rooms is still 3. If that is
# impossible, `apply` raises an error, whereas `get_dummies` would silently return a different number of columns.

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
print("a constant needs no value:", preprocessing.apply(preprocessing.fit(empty, method="constant"), empty)[:, 0])

# %% [markdown]
# ## Other ways to fill a gap
#
# A single mansion does not move the median. The mode is the most frequent value, and it works for words too. A constant
# says "not given". **KNN** is a model: it takes the mean of the most similar rows, here those of similar area
# (`sklearn.impute.KNNImputer`, on standardised columns, so that square metres do not outweigh rooms). The mansion has
# 30 rooms on 900 m².

# %%
table = pd.DataFrame({"Area": [50, 52, 110, 115, 900, 112], "NumRooms": [2, 2, 5, 4, 30, None]})
standardization = preprocessing.fit_standardization(table)
mean, std = standardization.mean["NumRooms"], standardization.std["NumRooms"]
for method in ("mean", "median", "mode", "constant"):
    print(f"{method:9}", preprocessing.impute(preprocessing.fit_imputation(table, method=method), table)["NumRooms"][5])
knn = preprocessing.fit_imputation(preprocessing.standardize(standardization, table), method="knn", neighbors=2)
filled = preprocessing.impute(knn, preprocessing.standardize(standardization, table))["NumRooms"] * std + mean
print(f"knn       {filled[5]:.1f}")

# %% [markdown]
# Instead of filling gaps, you can **delete rows or columns** that have them. That is honest, and costly: here only one
# of four houses is complete, and only one of three columns.

# %%
print(len(houses.dropna()), preprocessing.columns_present(houses, max_missing=0.2))

# %% [markdown]
# ## Why is it missing?
#
# Whether you can fill a gap depends on why it is there, and the table does not say why. Let $m$ say whether $x$ is
# missing, and let $z$ be the other values in the row.
#
# - **MCAR**, missing completely at random: $P(m \mid x, z) = P(m)$. For example, a page was lost. The remaining rows
#   are a fair sample.
# - **MAR**, missing at random: $P(m \mid x, z) = P(m \mid z)$. For example, owners of large lots do not state the size
#   of the house. The remaining rows are not a fair sample, but among rows with the same $z$ they are, so a model of $x$
#   given $z$ repairs the damage.
# - **NMAR**, not missing at random: $P(m)$ depends on $x$ itself. For example, owners of large houses do not state
#   their size. To repair that, you would need exactly the values that are missing.
#
# In a simulation we know the missing values. The houses have 120 m² on average with a standard deviation of 40 m², and
# the correlation between house and lot is 0.8. Each mechanism hides about half of the house sizes.

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
        (~is_missing, "observed", {"marker": "o", "color": "#0072B2", "alpha": 0.6}),
        (is_missing, "missing", {"marker": "x", "color": "#D55E00"}),
    ):
        shown = true[chosen][:120]
        axes.scatter(shown["Lot"], shown["House"], s=14, linewidths=0.8, label=label, **style)
    axes.set(title=name, xlabel="lot (m²)", xlim=(0, 1300))
panels[0].set_ylabel("house (m²)")
legend = figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)

# %% [markdown]
# For each mechanism, the table below shows the mean and the standard deviation of the house sizes after filling the
# gaps with the mean or with KNN, and the typical error of a filled value. Filling with the mean keeps the bias of the
# remaining rows, and always shrinks the spread, because it adds some 750 equal values. KNN removes most of the bias
# under MAR. Under NMAR it removes only the part that the lot size reveals, and no method can tell how much bias
# remains.

# %%
rows = []
for name, is_missing in missing.items():
    table = true.assign(House=true["House"].mask(is_missing))
    standardization = preprocessing.fit_standardization(table)
    scaled = preprocessing.standardize(standardization, table)
    for method in ("mean", "knn"):
        imputation = preprocessing.fit_imputation(scaled, method=method, neighbors=20)
        house = preprocessing.impute(imputation, scaled)["House"]
        house = house * standardization.std["House"] + standardization.mean["House"]
        error = np.sqrt(np.mean((house - true["House"])[is_missing] ** 2))
        rows.append({"why": name, "filled by": method, "mean": house.mean(), "sd": house.std(), "error": error})
rows.append({"why": "nothing missing", "filled by": "", "mean": true["House"].mean(), "sd": true["House"].std()})
pd.DataFrame(rows).round(1)

# %% [markdown]
# ## Exercises
#
# **1. Inspect a data set: what is missing, and what kind of data does each column hold?** `summarize` answers both, as
# above. It counts a column of strings with more than 50 different values as text:

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
# **2. Select columns by name.** `preprocessing.select` did that above. If no column has the given name, it raises an
# error.
#
# **3. How large a table can be loaded this way?** The whole table is in memory at once, up to three times: as text, as
# a frame, and as an array. A number takes 8 bytes in the frame and 4 in the array. Words take more: in one-hot columns
# of float32, each category costs 4 bytes per row. If the table does not fit into memory, `pd.read_csv(chunksize=...)`
# reads it piece by piece.
#
# **4. What if there are very many categories, or every label is unique?** Group the rare ones: with `min_count=20`, a
# street that occurs in fewer than 20 training rows becomes `other`, and so does a street that did not occur in
# training. A label that is different in every row identifies the row and predicts nothing about any other, so leave it
# out; `fit` refuses such a column.

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
    print("ValueError:", error)

# %% [markdown]
# Another way is **PCA**, which projects the one-hot columns onto the few directions in which the rows vary most. It is
# fitted on training rows like everything else:

# %%
numbers = preprocessing.apply(preprocessing.fit(listing[["Rooms", "Street"]], standardized=True), listing)
pca = preprocessing.fit_pca(numbers[:300], num_components=4)
print(preprocessing.project(pca, numbers[300:]).shape, "keeps", pca.explained.round(2), "of the variance")

# %% [markdown]
# **5. What are the alternatives to pandas?** Once a table has become arrays, you can store the arrays. NumPy's own
# files load without parsing, and with `mmap_mode="r"` NumPy reads only the parts you use. PyTorch's counterpart is
# `torch.save`.

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
# | categories | `get_dummies(dummy_na=True)`, from the rows at hand | `fit_encoding(train)`, `encode(fitted, rows)` |
# | missing numbers | `fillna(inputs.mean())`, from the rows at hand | `fit_imputation(train)`, `impute(fitted, rows)` |
# | arrays | `torch.tensor(...)`, float64 | `to_array`, float32 |
# | a gap that remains | the tensor contains NaN | `ValueError` that names the column |
#
# ## Summary
#
# We filled gaps and turned words into one-hot columns by rules that are learnt from the training rows, kept as values,
# and applied to any rows. The right rule depends on why values are missing. If they are missing completely at random,
# the mean will do. If they are missing at random, a model such as KNN can use the other columns. If they are not
# missing at random, the table alone cannot repair them.
