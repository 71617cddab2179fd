# %% [markdown]
# # 4.6 Generalisation in classification
#
# How far can you trust a measured error rate? For one fixed classifier and fresh test data, the central limit theorem
# and Hoeffding's inequality give the answer. If you measure many classifiers on the same data, or choose one by looking
# at the data, the answer depends on how many there were, or on how much the class of models can express.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/generalization-classification.html)

# %%
# %matplotlib inline
import itertools

import jax
import numpy as np
import optax

from jaxd2l import data, losses, models, plots, train
from jaxd2l.book import distribution_shift, generalization
from jaxd2l.models import linear

# %% [markdown]
# ## The test set
#
# The **population error** of a classifier $f$ is the probability of being wrong,
# $\epsilon(f) = P(f(\mathbf{x}) \neq y)$. Its estimate is the **empirical error** on $n$ test examples,
#
# $$\epsilon_\mathcal{D}(f) = \frac{1}{n} \sum_{i=1}^n \mathbf{1}(f(\mathbf{x}^{(i)}) \neq y^{(i)}),$$
#
# which is a mean of $n$ outcomes that are 0 or 1. Each outcome has variance $\epsilon (1 - \epsilon) \le 1/4$, so the
# mean has a standard deviation of at most $0.5 / \sqrt{n}$. How many examples do we need to reduce that to 0.01? And
# how many for two standard deviations?

# %%
print("one standard deviation: ", generalization.sample_size(0.01))
print("two standard deviations:", generalization.sample_size(0.01, num_deviations=2.0))

# %% [markdown]
# By the central limit theorem, the error is within one standard deviation in 68% of cases and within two in 95%. We
# draw ten thousand test sets of each size for a classifier that is wrong half of the time, which is the worst case:

# %%
rng = np.random.default_rng(0)
for n, deviations in ((2500, 1), (10000, 2)):
    measured = rng.binomial(n, 0.5, size=10000) / n
    print(f"n = {n:5}: within 0.01 in {(abs(measured - 0.5) <= 0.01).mean():.1%} of test sets ({deviations} sd)")

# %% [markdown]
# The theorem holds only in the limit of large $n$. Hoeffding's inequality holds for every $n$,
#
# $$P(\epsilon_\mathcal{D}(f) - \epsilon(f) \ge t) < \exp(-2 n t^2),$$
#
# but requires more examples: about 15000 to be within 0.01 with a confidence of 95%.

# %%
print(generalization.hoeffding_sample_size(0.01, confidence=0.95))

# %% [markdown]
# Fashion-MNIST's test set has 10000 images, so an error rate measured on it is accurate to within 0.01, at two standard
# deviations. One more digit would take a hundred times as many images. For softmax regression:

# %%
dataset = data.fashion_mnist()
model = models.softmax_regression(784, 10)
key = jax.random.key(0)
state, _ = train.fit(model, losses.cross_entropy, optax.sgd(0.1), dataset, key=key, epochs=5, batch_size=256)
_, accuracy = train.evaluate(model, losses.cross_entropy, state.params, dataset.test)
n, error = len(dataset.test.labels), 1 - float(accuracy)
print(f"n = {n}: error {error:.2f}")
print(f"two sd: {2 * 0.5 / n**0.5:.3f} at most, {2 * (error * (1 - error) / n) ** 0.5:.3f} at this error")

# %% [markdown]
# All these intervals shrink with $1/\sqrt{n}$, so with logarithmic axes they are straight lines of slope -1/2: halving
# the interval takes four times the data. The spread that we measure over ten thousand test sets of each size lies on
# the line for one standard deviation.

# %%
sizes = np.array([100, 300, 1000, 3000, 10000, 30000])
spread = [np.std(rng.binomial(n, 0.5, size=10000) / n) for n in sizes]
plots.lines(
    sizes,
    {
        "1 sd": 0.5 / np.sqrt(sizes),
        "2 sd": 1.0 / np.sqrt(sizes),
        "sd of 10000 test sets": spread,
        "Hoeffding, 95%": np.sqrt(np.log(20) / (2 * sizes)),
    },
    xlabel="test examples n",
    ylabel="half width of the interval",
    xscale="log",
    yscale="log",
)

# %% [markdown]
# ## Test set reuse
#
# All this holds for a single classifier that was fixed before we looked at the test set. Now take $k$ classifiers that
# guess at random, so that each is wrong half of the time, and keep the one that does best on a test set of 1000
# examples. The more there are, the better the luckiest one looks:

# %%
labels = rng.integers(0, 2, 1000)
guesses = rng.integers(0, 2, (10000, 1000))
error_of_each = (guesses != labels).mean(1)
fresh = rng.integers(0, 2, 1000)
for k in (1, 10, 100, 1000, 10000):
    best = error_of_each[:k].argmin()
    print(
        f"best of {k:5}: error {error_of_each[best]:.3f}, on new data {(guesses[best] != fresh).mean():.3f}; "
        f"for +-0.01 need n = {generalization.hoeffding_sample_size(0.01, confidence=1 - 0.05 / k)}"
    )

# %% [markdown]
# With as many examples as the last column says, the risk of misjudging any of the $k$ errors stays below 5%. This
# number grows only with $\log k$. But it assumes that all classifiers are fixed in advance. If you build each one after
# looking at the test error of the previous one, there is no guarantee, and exercise 2 shows what can happen. It is best
# to use a test set only once.
#
# ## Statistical learning theory
#
# Training chooses a model from a whole class of models. If the class is not too rich, there are guarantees for all its
# members at once, without a test set. The **VC dimension** of a class is the largest number $n$ of points that it
# **shatters**, which means that it can label them in all $2^n$ ways. Linear classifiers in $d$ dimensions have VC
# dimension $d + 1$. In the plane they shatter three points, but not four.


# %%
def labellings_found(points):
    """How many of the 2^n labellings of some points a linear classifier can reproduce."""
    found = 0
    for labels in itertools.product([False, True], repeat=len(points)):
        labels = np.array(labels)
        if labels.all() or not labels.any():
            found += 1  # a large bias alone does it
            continue
        line = distribution_shift.fit_domain_classifier(points[~labels], points[labels], l2=1e-4)
        found += bool(((np.asarray(linear(line, points))[:, 0] > 0) == labels).all())
    return found


square = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
print("three corners of a square:", labellings_found(square[:3]), "of", 2**3)
print("four corners of a square: ", labellings_found(square), "of", 2**4)

# %% [markdown]
# The two missing labellings give opposite corners the same label. This is the exclusive or, which needs a hidden layer
# (section 5.1). The theory bounds the gap between training error and population error by a term that grows with
# $\sqrt{\mathrm{VC} / n}$. Deep networks have far more parameters than examples and can fit random labels, yet they
# generalise (section 5.5). For them such bounds are true but useless.
#
# ## Exercises
#
# **1. How many samples estimate the error of a fixed model to within 0.0001 with a probability above 99.9%?** By
# Hoeffding's inequality, for errors in one direction, and for both directions with half the risk for each:

# %%
print("one-sided:", generalization.hoeffding_sample_size(0.0001, confidence=0.999))
print("two-sided:", generalization.hoeffding_sample_size(0.0001, confidence=0.9995))

# %% [markdown]
# **2. Someone has the labels of a test set and tells you the error of any model that you submit. After how many models
# do you know all labels?** With two classes, after at most $n + 1$ models. First submit all zeros, then change one
# answer at a time: the error falls if the label is 1. The final answers have an error of 0, and tell nothing about
# other data.

# %%
secret = rng.integers(0, 2, 200)
num_queries = 0


def error_of(answers):
    global num_queries
    num_queries += 1
    return (answers != secret).mean()


answers = np.zeros(200, int)
reference = error_of(answers)
changes = np.eye(200, dtype=int)
stolen = np.array([error_of(change) < reference for change in changes]).astype(int)
print("models submitted:", num_queries, " error now:", (stolen != secret).mean())

# %% [markdown]
# **3. What is the VC dimension of the polynomials of fifth order?** Six. A polynomial with six coefficients can take
# any values at six points, so its sign can take all 64 patterns:

# %%
x = np.linspace(-1, 1, 6, dtype=np.float32)
features = np.asarray(generalization.polynomial_features(x, 5), np.float64)
patterns = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
coefficients = np.linalg.solve(features, patterns.T)
print((patterns == np.sign(features @ coefficients).T).all(axis=1).sum(), "of", len(patterns))

# %% [markdown]
# Seven points with alternating labels would need six changes of sign, but a fifth-order polynomial has at most five
# roots.
#
# **4. What is the VC dimension of axis-aligned rectangles in the plane?** Four. A labelling is possible if the smallest
# rectangle around the positive points contains no negative point. Four points in a diamond can be labelled in all ways.
# Among any five points, those furthest left, right, up and down span a rectangle that contains all of them, so these
# cannot be positive while a remaining point is negative.


# %%
def by_rectangles(points):
    found = 0
    for labels in itertools.product([False, True], repeat=len(points)):
        positive, negative = points[np.array(labels)], points[~np.array(labels)]
        inside = (negative >= positive.min(0, initial=np.inf)) & (negative <= positive.max(0, initial=-np.inf))
        found += not inside.all(1).any()
    return found


diamond = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
print("diamond:", by_rectangles(diamond), "of", 2**4)
print("five random points shattered:", any(by_rectangles(rng.normal(size=(5, 2))) == 2**5 for _ in range(1000)))

# %% [markdown]
# ## Summary
#
# The measured test error of a fixed classifier has a standard deviation of at most $0.5 / \sqrt{n}$. Each further
# classifier that you measure on the same data weakens the guarantee, and if you choose classifiers by their test error,
# there is none. Classical theory gives guarantees for all members of a class by limiting what the class can express.
# Deep learning needs another explanation.
