# %% [markdown]
# # 4.1 Softmax regression
#
# Regression asks how much; classification asks which one. This section turns scores into probabilities, derives a loss
# that fits them to labels, and explains this loss in the terms of information theory: surprisal, entropy and
# cross-entropy.
#
# [This section in the book](https://d2l.ai/chapter_linear-classification/softmax-regression.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np

from jaxd2l import activations, losses, models, plots
from jaxd2l.book import information

# %% [markdown]
# ## Classes and a linear model
#
# Classes have no order, so we should not treat a label as a number and fit it by regression. The one-hot encoding gives
# each class its own coordinate. With $q = 3$ classes and $d = 4$ features, the model computes one score, or **logit**,
# for each class:
#
# $$\mathbf{y} \in \{(1, 0, 0), (0, 1, 0), (0, 0, 1)\}, \qquad \mathbf{o} = \mathbf{W} \mathbf{x} + \mathbf{b}.$$

# %%
labels = jnp.array([0, 2, 1])
print(jax.nn.one_hot(labels, 3))
model = models.softmax_regression(4, 3)
params = model.init(jax.random.key(0))
X = jax.random.normal(jax.random.key(1), (2, 4))
print({name: value.shape for name, value in params.items()}, "logits:", model.apply(params, X).shape)

# %% [markdown]
# In PyTorch, a label that is not one of the classes is an error. `jax.nn.one_hot` turns it into a row of zeros. The
# package's losses refuse it.

# %%
print(jax.nn.one_hot(jnp.array([3]), 3))

# %%
# %%torch
import torch
import torch.nn.functional as F  # noqa: N812

for attempt in (
    lambda: F.one_hot(torch.tensor([3]), 3),
    lambda: losses.cross_entropy(jnp.zeros((1, 3)), jnp.array([3])),
):
    try:
        attempt()
    except (RuntimeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## The softmax
#
# Logits may be negative and need not sum to 1. The exponential makes them positive, and the division turns them into a
# distribution:
#
# $$\hat{y}_i = \frac{\exp(o_i)}{\sum_j \exp(o_j)}.$$
#
# In the code we subtract the largest logit first. It cancels in the fraction, and it prevents overflow (section 4.4).
# The package's `activations.softmax` does the same.


# %%
def softmax(o):
    exponentials = jnp.exp(o - o.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


o = jnp.array([[1.0, 3.0, 2.0], [-1.0, 0.0, 100.0]])
probabilities = softmax(o)
print("as in the package:", bool((probabilities == activations.softmax(o)).all()))
print(np.asarray(probabilities).round(3))
print("sums:", np.asarray(probabilities.sum(axis=1)).round(3))
print("the order is kept:", bool((probabilities.argsort(axis=1) == o.argsort(axis=1)).all()))

# %% [markdown]
# Since the softmax preserves the order, the most likely class is the one with the largest logit, so prediction does not
# need the softmax. Dividing the logits by a **temperature** $T$ makes the distribution flatter or sharper, and also
# preserves the order. As $T \to 0$, all the probability goes to the largest logit; as $T \to \infty$, the distribution
# becomes uniform.

# %%
temperatures = np.logspace(-1, 2, 100)
curves = activations.softmax(o[0] / temperatures[:, None])
names = [f"logit {value:.0f}" for value in o[0]]
plots.lines(
    temperatures, dict(zip(names, curves.T, strict=True)), xlabel="temperature $T$", ylabel="probability", xscale="log"
)

# %% [markdown]
# ## The loss
#
# We use maximum likelihood, as for regression. The model gives the label $y$ of an example the probability $\hat{y}_y$.
# So the negative log-likelihood of independent examples is a sum with one term for each example,
#
# $$l(\mathbf{y}, \hat{\mathbf{y}}) = -\sum_{j=1}^q y_j \log \hat{y}_j,$$
#
# For a one-hot label this is $-\log \hat{y}_y$. It is 0 only if the model is certain, which finite logits never reach.

# %%
y = jnp.array([1, 0])
picked = probabilities[jnp.arange(2), y]
print("-log of the label's probability:", np.asarray(-jnp.log(picked)).round(4))
print("from the logits:", np.asarray(losses.cross_entropy(o, y, reduction="none")).round(4))

# %% [markdown]
# The second example shows why the loss takes logits: the probability $e^{-101}$ was rounded to 0, so its logarithm is
# infinite. In terms of the logits, the loss is simply
#
# $$l = \log \sum_k \exp(o_k) - o_y.$$
#
# **Soft labels** are distributions over the classes, such as (0.1, 0.7, 0.2) when annotators disagree. The same formula
# holds, and the same function accepts them.

# %%
soft = jnp.array([[0.1, 0.7, 0.2]])
print(f"{losses.cross_entropy(o[:1], soft):.4f}")
print(f"{-(soft * jnp.log(probabilities[:1])).sum():.4f}")

# %% [markdown]
# As in regression, the derivative is the difference between what the model predicted and what happened:
#
# $$\frac{\partial l}{\partial o_j} = \mathrm{softmax}(\mathbf{o})_j - y_j.$$

# %%
for name, target, y_j in (("hard", jnp.array([1]), jnp.array([[0.0, 1.0, 0.0]])), ("soft", soft, soft)):
    gradient = jax.grad(losses.cross_entropy)(o[:1], target)
    difference = activations.softmax(o[:1]) - y_j
    print(name, np.asarray(gradient).round(4), "softmax - y:", np.asarray(difference).round(4))

# %% [markdown]
# ## Information theory
#
# **Surprisal.** An event of probability $P(j)$ carries the information $\log \frac{1}{P(j)} = -\log P(j)$. A certain
# event carries none. The unit depends on the base of the logarithm: **nats** for base $e$, **bits** for base 2.

# %%
print("bits:", information.surprisal(jnp.array([1.0, 0.5, 0.25, 0.125]), base=2))
one_nat = information.surprisal(jnp.exp(-jnp.array(1.0)), base=2)
print(f"1 nat = {one_nat:.2f} bit")

# %% [markdown]
# **Entropy** is the expected surprisal, $H[P] = -\sum_j P(j) \log P(j)$. No code can use fewer bits on average. An
# outcome that never occurs contributes nothing: we set $0 \log 0$ to its limit, 0, where naive arithmetic gives NaN.

# %%
print("naive:", -(jnp.array([1.0, 0.0]) * jnp.log(jnp.array([1.0, 0.0]))).sum())
print("a certain outcome:", information.entropy(jnp.array([1.0, 0.0]), base=2))
print("a fair coin:", information.entropy(jnp.array([0.5, 0.5]), base=2))
print(f"eight equal outcomes: {information.entropy(jnp.full(8, 1 / 8), base=2):.3f}")
print(f"a coin in nats: {information.entropy(jnp.array([0.5, 0.5])):.4f}, log 2 = {np.log(2):.4f}")

# %% [markdown]
# **Cross-entropy** is the expected surprisal of an observer who believes $Q$ when $P$ is true, $H(P, Q) = -\sum_j P(j)
# \log Q(j)$. It is smallest for $Q = P$, where it equals the entropy. The excess is the **relative entropy**, or
# Kullback-Leibler divergence:
#
# $$D(P \| Q) = \sum_j P(j) \log \frac{P(j)}{Q(j)} = H(P, Q) - H(P) \ge 0.$$

# %%
P, Q = jnp.array([0.5, 0.25, 0.25]), jnp.array([0.25, 0.5, 0.25])
print("H(P) =", information.entropy(P, base=2))
print("H(P, Q) =", information.cross_entropy(P, Q, base=2))
print("D(P||Q) =", information.kl_divergence(P, Q, base=2))
print("D(P||P) =", information.kl_divergence(P, P, base=2))

# %% [markdown]
# Take a coin that shows heads with probability 0.3. The plot shows the cross-entropy for every belief about this
# probability. It touches the entropy at 0.3 and nowhere else.

# %%
q = np.linspace(0.01, 0.99, 99, dtype=np.float32)
beliefs, coin = np.stack([q, 1 - q], axis=-1), np.tile(np.float32([0.3, 0.7]), (99, 1))
plots.lines(
    q,
    {
        "cross-entropy $H(P, Q)$": information.cross_entropy(coin, beliefs, base=2),
        "entropy $H(P)$": information.entropy(coin, base=2),
        "relative entropy $D(P \\| Q)$": information.kl_divergence(coin, beliefs, base=2),
    },
    xlabel="believed probability of heads",
    ylabel="bits",
)

# %% [markdown]
# So we can read the loss of a classifier in two ways: minimising it maximises the likelihood of the labels, and it
# minimises the surprisal that they cause. For soft labels the two functions agree:

# %%
in_nats = information.cross_entropy(soft, activations.softmax(o[:1]))
print(bool(jnp.allclose(in_nats, losses.cross_entropy(o[:1], soft))))

# %% [markdown]
# ## In PyTorch
#
# The names are much the same, but some conventions differ.

# %%
# %%torch
t = torch.tensor(np.asarray(o))
print("softmax:", np.allclose(F.softmax(t, dim=1).numpy(), probabilities))
print("cross-entropy:", np.allclose(F.cross_entropy(t, torch.tensor([1, 0])).item(), losses.cross_entropy(o, y)))
p, q = (torch.tensor(np.asarray(x)) for x in (P, Q))
entropy = torch.distributions.Categorical(p).entropy().item()
print("entropy:", np.allclose(entropy, information.entropy(P)))
divergence = F.kl_div(q.log(), p, reduction="sum").item()  # the belief first, and as logarithms
print("relative entropy:", np.allclose(divergence, information.kl_divergence(P, Q)))

# %% [markdown]
# | | PyTorch | JAX, here |
# |---|---|---|
# | axis of the classes in `cross_entropy` | 1, also for images (n, classes, h, w) | the last |
# | relative entropy | `F.kl_div(log_q, p, reduction="sum")` | `information.kl_divergence(p, q)` |
# | one-hot | int64 | float32 |
# | a label out of range | error | `jax.nn.one_hot`: zeros; `losses`: error |
# | integers into `softmax` | error | `jax.nn.softmax` converts; `activations.softmax`: error |
#
# ## Exercises
#
# **1. Compute the second derivative of the loss, and show that it is the variance of the softmax.** Differentiating
# $\mathrm{softmax}(\mathbf{o}) - \mathbf{y}$ gives $\mathrm{diag}(\hat{\mathbf{y}}) - \hat{\mathbf{y}}
# \hat{\mathbf{y}}^\top$. This is the covariance matrix of a one-hot vector drawn from $\hat{\mathbf{y}}$. A covariance
# matrix has no negative eigenvalue, so the loss is convex in the logits.

# %%
hessian = jax.hessian(lambda logits: losses.cross_entropy(logits, jnp.array(1)))(o[0])
p = activations.softmax(o[0])
print(np.asarray(hessian).round(4))
print("diag(p) - p p':", bool(jnp.allclose(hessian, jnp.diag(p) - jnp.outer(p, p), atol=1e-6)))

# %% [markdown]
# **2. Three classes of probability 1/3 each: what is wrong with a binary code, and how can you improve it?** A class
# carries $\log_2 3 = 1.585$ bits, but the best code for a single class (0, 10, 11) takes 1.667 on average. Encoding $n$
# classes together wastes less, because we round the number of bits up only once: $\lceil n \log_2 3 \rceil / n$.

# %%
print(f"entropy: {information.entropy(jnp.full(3, 1 / 3), base=2):.3f} bit")
for n in (1, 2, 3, 5, 41):
    print(f"{n:2} together: {int(np.ceil(n * np.log2(3))) / n:.3f} bit each")

# %% [markdown]
# **3. How many ternary units does a number from 0 to 7 need, and why might they be better than bits?** It needs two,
# since $3^2 = 9 \ge 8$, whereas it takes three bits. So the same numbers travel over a wire in two thirds of the time,
# or in the same time at a lower frequency. The price is that the receiver must distinguish three levels.
#
# **4. Apples or oranges? Does the softmax prefer the larger score, and how can you choose neither?** The probability of
# apples, $1 / (1 + \exp(o_\text{orange} - o_\text{apple}))$, grows with their score, and exceeds 1/2 when theirs is the
# larger score. "Neither" is a third choice with its own score. Since only differences count, that score may be 0.

# %%
for scores in ([2.0, 1.0], [3.0, 1.0], [2.0, 1.0, 0.0]):
    print(scores, "->", activations.softmax(jnp.array(scores)).round(3))

# %% [markdown]
# **5. $\mathrm{RealSoftMax}(a, b) = \log(e^a + e^b)$. How close is it to the maximum?** It lies above $\max(a, b)$, by
# $\log 2$ where $a = b$ and by less elsewhere. With a factor $\lambda$, as in $\lambda^{-1}
# \mathrm{RealSoftMax}(\lambda a, \lambda b)$, the excess vanishes as $\lambda$ grows. The softmax is the gradient of
# this function, so a better name for it would be soft *argmax*. A soft minimum is $-\mathrm{RealSoftMax}(-a, -b)$. For
# more than two numbers the sum has more terms.

# %%
a = np.linspace(-3, 3, 121)
curves = {f"$\\lambda$ = {factor}": np.logaddexp(factor * a, 0) / factor for factor in (1, 2, 5)}
plots.lines(a, curves | {"max(a, 0)": np.maximum(a, 0)}, xlabel="$a$ ($b$ = 0)", ylabel="smooth maximum")

# %%
gradient = jax.grad(jax.nn.logsumexp)(o[0])
print("the gradient of log-sum-exp is the softmax:", bool(jnp.allclose(gradient, activations.softmax(o[0]))))

# %% [markdown]
# **6. Is the log-partition function $g(\mathbf{o}) = \log \sum_k \exp(o_k)$ convex? What happens if you add a constant
# $b$ to all logits?** It is convex, because its second derivative is the covariance matrix of exercise 1, which is
# positive semidefinite. Adding $b$ to all logits adds $b$ to it: $g(\mathbf{o} + b) = g(\mathbf{o}) + b$. The softmax
# does not change, and neither does the loss $g(\mathbf{o}) - o_y$. Choosing $b = -\max_k o_k$ keeps the exponentials
# from overflowing.

# %%
shifted = o[0] + 10
print(f"log-sum-exp moves by {jax.nn.logsumexp(shifted) - jax.nn.logsumexp(o[0]):.3f}")
print("softmax stays:", bool(jnp.allclose(activations.softmax(shifted), activations.softmax(o[0]), atol=1e-6)))
change = losses.cross_entropy(shifted, jnp.array(1)) - losses.cross_entropy(o[0], jnp.array(1))
print("the loss stays:", bool(abs(change) < 1e-5))

# %% [markdown]
# **7. Let $Q(i) \propto P(i)^\alpha$. Which $\alpha$ doubles the temperature, and which halves it?** The logarithms of
# $P$ are logits, and $\alpha$ multiplies them. So $\alpha = 1/T$: $\frac12$ doubles the temperature and 2 halves it. As
# $T \to 0$ all the probability goes to the most likely class, and as $T \to \infty$ every class gets the same.

# %%
P = activations.softmax(o[0])
for alpha in (0.5, 2.0, 100.0, 0.01):
    Q = P**alpha / jnp.sum(P**alpha)
    same = bool(jnp.allclose(Q, activations.softmax(alpha * o[0]), atol=1e-6))
    print(f"temperature {1 / alpha:6.2f}: {np.asarray(Q).round(3)} softmax(o / T): {same}")

# %% [markdown]
# ## Summary
#
# The softmax turns any scores into a distribution and preserves their order. The cross-entropy loss is the negative
# log-likelihood of the labels, and also the surprisal that they cause. Its gradient is the softmax minus the label.
# Computed from logits, it neither overflows nor loses small probabilities.
