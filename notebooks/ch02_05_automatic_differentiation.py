# %% [markdown]
# # 2.5 Automatic differentiation
#
# Nobody differentiates a network by hand. PyTorch **records** the operations on a tensor and walks back through the
# record when you call `backward`. JAX **transforms functions**: `jax.grad(f)` is a function that computes the gradient
# of `f`. There is no record to keep, reset, or lose.
#
# [This section in the book](https://d2l.ai/chapter_preliminaries/autograd.html)

# %%
# %load_ext jaxd2l.parity.notebook
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxd2l import plots
from jaxd2l.book import autodiff, graphs

# %% [markdown]
# ## A simple function
#
# $y = 2 \mathbf{x}^\top \mathbf{x}$ has the gradient $4 \mathbf{x}$. PyTorch stores it in `x.grad`. JAX returns it, and
# `jax.value_and_grad` returns the value as well.


# %%
def f(x):
    return 2 * jnp.dot(x, x)


x = jnp.arange(4.0)
value, gradient = jax.value_and_grad(f)(x)
print("JAX:  ", value, gradient, " 4 x:", bool((gradient == 4 * x).all()))

# %%
# %%torch
import torch

in_torch = torch.arange(4.0, requires_grad=True)
y = 2 * torch.dot(in_torch, in_torch)
y.backward()
print("torch:", y.item(), in_torch.grad.numpy())

# %% [markdown]
# PyTorch **adds** to `x.grad`, so you must call `zero_()` before you compute a second gradient; forgetting it is a
# classic mistake. In JAX there is nothing to reset. The gradient of a sum is all ones.

# %%
# %%torch
in_torch.sum().backward()
print("torch, not reset:", in_torch.grad.numpy())
in_torch.grad.zero_()
in_torch.sum().backward()
print("torch, reset:", in_torch.grad.numpy())

# %%
print("JAX:", jax.grad(jnp.sum)(x))

# %% [markdown]
# Both refuse to differentiate with respect to integers, and both want a function whose value is a scalar:

# %%
# %%torch
for name, attempt in {
    "torch, integers": lambda: torch.arange(4, requires_grad=True),
    "JAX, integers": lambda: jax.grad(lambda x: jnp.dot(x, x))(jnp.arange(4)),
    "torch, a vector": lambda: (in_torch * in_torch).backward(),
    "JAX, a vector": lambda: jax.grad(lambda x: x * x)(x),
}.items():
    try:
        attempt()
    except (RuntimeError, TypeError) as error:
        print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0].split('. ')[0]}")

# %% [markdown]
# ## Functions whose value is a vector
#
# The derivative of a vector $\mathbf{y}$ with respect to a vector $\mathbf{x}$ is a matrix, the Jacobian $J$. Backward
# differentiation never builds it. It computes the product $\mathbf{v}^\top J$ for a vector $\mathbf{v}$ that you
# choose, which weights the outputs. For $\mathbf{v} = \mathbf{1}$ the product is the gradient of the sum. `jax.vjp`
# returns the value and the function $\mathbf{v} \mapsto \mathbf{v}^\top J$.

# %%
value, pull_back = jax.vjp(lambda x: x * x, x)
print(value, pull_back(jnp.ones(4))[0])
print(jax.grad(lambda x: jnp.sum(x * x))(x))

# %%
# %%torch
in_torch.grad.zero_()
(in_torch * in_torch).backward(gradient=torch.ones(4))
print("torch:", in_torch.grad.numpy())

# %% [markdown]
# ## Detaching
#
# In $\mathbf{z} = \mathbf{u} \odot \mathbf{x}$ with $\mathbf{u} = \mathbf{x} \odot \mathbf{x}$, let us treat
# $\mathbf{u}$ as a constant: the gradient of the sum is then $\mathbf{u}$ rather than $3 \mathbf{x} \odot \mathbf{x}$.
# JAX's counterpart of PyTorch's `detach` is `jax.lax.stop_gradient`, which you call inside the function. The
# computation of $\mathbf{u}$ can still be differentiated separately.


# %%
def square(x):
    return x * x


print("detached:", jax.grad(lambda x: jnp.sum(jax.lax.stop_gradient(square(x)) * x))(x))
print("attached:", jax.grad(lambda x: jnp.sum(square(x) * x))(x))
print("u itself:", jax.grad(lambda x: jnp.sum(square(x)))(x))

# %%
# %%torch
in_torch.grad.zero_()
(square(in_torch).detach() * in_torch).sum().backward()
print("torch, detached:", in_torch.grad.numpy())

# %% [markdown]
# ## Control flow
#
# How often the book's loop below runs depends on the values in `a`. `jax.grad` can handle that: Python runs the loop,
# and JAX differentiates the operations that are actually executed. `autodiff.double_past_1000` is the same function,
# and also refuses 0, for which the loop would never end.


# %%
def double_past_1000(a):
    b = a * 2
    while jnp.linalg.norm(b) < 1000:
        b = b * 2
    return b if jnp.sum(b) > 0 else 100 * b


# %% [markdown]
# However often the loop runs, the result is $k\,a$ with some constant $k$. So the gradient must be $k = f(a) / a$.

# %%
a = jax.random.normal(jax.random.key(1), ())
d, gradient = jax.value_and_grad(double_past_1000)(a)
print(f"a = {a:.4f}, f(a) = {d:.2f}, gradient = {gradient:.0f}")
print("gradient == f(a) / a:", bool(gradient == d / a))
print("as in the package:", bool(d == autodiff.double_past_1000(a)))

# %% [markdown]
# Compiling is another matter. Under `jit`, JAX traces the function once for *all* values of `a`, and Python cannot
# decide whether to go on looping without a value. `lax.while_loop` and `lax.cond` leave the decision to the compiled
# program. A `while_loop` of unknown length cannot be differentiated backward, but it need not be: how often to double
# is a count, which has no derivative. So the loop only counts, and `stop_gradient` keeps it out of the gradient.
# (`autodiff.double_past_1000_compiled` also takes care of 0 and of very small numbers.)

# %%
try:
    jax.jit(double_past_1000)(a)
except jax.errors.TracerBoolConversionError as error:
    print(type(error).__name__)


def double_past_1000_compiled(a):
    def is_short(state):
        return jnp.linalg.norm(state[0]) < 1000

    def double(state):
        b, times = state
        return b * 2, times + 1

    _, times = jax.lax.while_loop(is_short, double, (jax.lax.stop_gradient(a) * 2, 1))
    b = a * 2.0**times
    return jax.lax.cond(jnp.sum(b) > 0, lambda b: b, lambda b: 100 * b, b)


# %%
compiled = jax.jit(jax.vmap(jax.value_and_grad(double_past_1000_compiled)))
many = jax.random.normal(jax.random.key(2), (1000,))
d, gradient = compiled(many)
print("gradient is f(a) / a, 1000 times:", bool(jnp.allclose(gradient, d / many, rtol=1e-6)))
print("as with Python's loop:", all(double_past_1000(many[i]) == d[i] for i in range(5)))
print("as in the package:", bool((jax.vmap(autodiff.double_past_1000_compiled)(many) == d).all()))

# %% [markdown]
# The function has jumps. Between them its gradient is $2^k$ to the right of 0 and $100 \cdot 2^k$ to the left; the
# gradient says nothing about the jumps themselves. At 0 the function has no value.

# %%
points = jnp.linspace(-10, 10, 400)
plots.lines(points, {"f'(a)": compiled(points)[1]}, xlabel="a", ylabel="f'(a)", yscale="log")

# %% [markdown]
# ## Forward, backward, and twice
#
# Backward differentiation gives $\mathbf{v}^\top J$, a row of the Jacobian at a time (`jax.vjp`). Forward
# differentiation gives $J \mathbf{t}$, a column at a time (`jax.jvp`); it computes this along with the value and stores
# nothing. Either can build the whole Jacobian.


# %%
def g(x):
    return jnp.array([jnp.sum(x**2), jnp.prod(x), jnp.sin(x[0])])


point = jnp.array([1.0, 2.0])
by_rows, by_columns = jax.jacrev(g)(point), jax.jacfwd(g)(point)
print(by_rows.round(4))
print(bool(jnp.allclose(by_rows, by_columns)))
v, t = jnp.array([1.0, 0.0, 2.0]), jnp.array([0.0, 1.0])
print(bool(jnp.allclose(jax.vjp(g, point)[1](v)[0], v @ by_rows)))
print(bool(jnp.allclose(jax.jvp(g, (point,), (t,))[1], by_rows @ t)))

# %%
# %%torch
print(
    torch.autograd.functional.jacobian(
        lambda x: torch.stack([x.pow(2).sum(), x.prod(), x[0].sin()]), torch.tensor([1.0, 2.0])
    )
    .numpy()
    .round(4)
)

# %% [markdown]
# A derivative is a function, so we can differentiate it again. All second derivatives together form a matrix, the
# Hessian $H$. The product $H \mathbf{v}$ can be computed without that matrix, as the forward derivative of the
# gradient:


# %%
def hessian_vector_product(f, x, v):
    return jax.jvp(jax.grad(f), (x,), (v,))[1]


def h(x):
    return jnp.sum(jnp.sin(x) * jnp.roll(x, 1) ** 2)


v = jnp.array([1.0, -1.0, 2.0, 0.5])
product = hessian_vector_product(h, x, v)
print(bool(jnp.allclose(product, jax.hessian(h)(x) @ v, atol=1e-4)))
print("as in the package:", bool((product == autodiff.hessian_vector_product(h, x, v)).all()))

# %%
# %%torch
_, by_torch = torch.autograd.functional.hvp(
    lambda x: (x.sin() * x.roll(1) ** 2).sum(), torch.arange(4.0), torch.tensor([1.0, -1.0, 2.0, 0.5])
)
print(np.asarray(product).round(3), by_torch.numpy().round(3))

# %%
print(hessian_vector_product(jax.jit(lambda x: jnp.sum(x**4)), jnp.ones(1_000_000), jnp.ones(1_000_000))[:3])

# %% [markdown]
# ## Side by side
#
# | | PyTorch | JAX |
# |---|---|---|
# | ask for a gradient | `requires_grad=True`, `y.backward()`, `x.grad` | `jax.grad(f)(x)` |
# | before the next one | `x.grad.zero_()` | nothing |
# | weight the elements of a vector | `y.backward(gradient=v)` | `jax.vjp(f, x)[1](v)` |
# | treat as constant | `u.detach()` | `jax.lax.stop_gradient(u)` |
# | compute no gradients | `with torch.no_grad():` | nothing: only `jax.grad` computes them |
# | control flow | Python | Python; under `jit`, `lax.while_loop`, `lax.cond`, `lax.scan` |
# | Jacobian, Hessian | `torch.autograd.functional` | `jax.jacrev`, `jax.jacfwd`, `jax.hessian` |
#
# ## Exercises
#
# **1. Why do second derivatives cost so much more?** A function of $n$ numbers has $n$ first derivatives, which a
# single backward pass computes together. It has $n^2$ second derivatives, which take $n$ more passes. The Hessian
# behind the last line printed above has $10^{12}$ elements. Its product with a vector cost only as much as a few
# evaluations of the function.
#
# **2. Run backward twice in a row.** PyTorch has freed what the forward pass stored and raises an error, unless you
# passed `retain_graph=True`. In JAX the backward pass is a function, and it keeps what it needs.

# %%
# %%torch
y = (in_torch * in_torch).sum()
y.backward()
try:
    y.backward()
except RuntimeError as error:
    print("torch:", str(error).split(" (")[0])

# %%
value, pull_back = jax.vjp(lambda x: jnp.sum(x * x), x)
print("JAX:", pull_back(1.0)[0], pull_back(1.0)[0])

# %% [markdown]
# **3. What if `a` in the control flow example is a vector or a matrix?** `f(a)` has the shape of `a` and is still $k
# \mathbf{a}$, where $k$ depends on all elements together. A gradient needs a scalar; the gradient of the sum is $k$ for
# every element. The Jacobian is $k$ times the identity matrix.

# %%
vector = jnp.array([1.0, -2.0, 4.0])
print(jax.grad(lambda a: jnp.sum(double_past_1000(a)))(vector), double_past_1000(vector) / vector)
print(jax.jacobian(double_past_1000)(vector))

# %% [markdown]
# **4. Plot $\sin$ and its derivative without using $\cos$.** `grad` differentiates a function of one number; `vmap`
# applies it to many.

# %%
points = jnp.linspace(-jnp.pi, jnp.pi, 200)
slopes = jax.vmap(jax.grad(jnp.sin))(points)
plots.lines(points, {"sin x": jnp.sin(points), "derivative by jax.grad": slopes}, xlabel="x", ylabel="value")

# %% [markdown]
# **5. The dependency graph of $f(x) = (\log x^2 \cdot \sin x) + x^{-1}$.** JAX reads the graph from the function
# itself. Values in blue boxes are stored for the backward pass; [5.3](ch05_03_backpropagation.ipynb) explains why.


# %%
def composed(x):
    a = checkpoint_name(x**2, "a")  # the names change nothing; the graph shows them
    b, c, e = checkpoint_name(jnp.log(a), "b"), checkpoint_name(jnp.sin(x), "c"), checkpoint_name(1 / x, "e")
    return checkpoint_name(b * c + e, "f")


graphs.figure(graphs.graph(composed, 2.0))

# %% [markdown]
# **6., 7. The derivative by the chain rule, from $x$ to $f$ and back.** With $a = x^2$, $b = \log a$, $c = \sin x$,
# $e = 1/x$ and $f = bc + e$:
#
# $$f' = b' c + b c' + e', \qquad b' = \tfrac{1}{a} \cdot 2x, \quad c' = \cos x, \quad e' = -\tfrac{1}{x^2}.$$
#
# Going forward, each line of the program also computes its derivative with respect to $x$. Going backward, we begin at
# the end and ask for each line how $f$ changes with its result. For that, the values $a$, $b$ and $c$ must have been
# stored.

# %%
x0 = jnp.float32(2.0)
a, b, c = x0**2, jnp.log(x0**2), jnp.sin(x0)
a_dot = 2 * x0  # forward: derivatives by x
b_dot, c_dot, e_dot = a_dot / a, jnp.cos(x0), -1 / x0**2
forward = b_dot * c + b * c_dot + e_dot
b_bar, c_bar, e_bar = c, b, 1.0  # backward: derivatives of f
a_bar = b_bar / a
backward = a_bar * 2 * x0 + c_bar * jnp.cos(x0) - e_bar / x0**2
by_jvp, by_vjp = jax.jvp(composed, (x0,), (1.0,))[1], jax.vjp(composed, x0)[1](jnp.float32(1.0))[0]
print(f"forward {forward:.4f} = {by_jvp:.4f}, backward {backward:.4f} = {by_vjp:.4f}")
print("against differences:", autodiff.check_gradient(composed, 2.0) < 1e-7)

# %% [markdown]
# **8. When should you differentiate forward, and when backward?** Forward takes one pass per input, backward takes one
# pass per output. A loss has millions of inputs and one output, so go backward, and pay by storing what the forward
# pass computed. A curve in space has one input and several outputs, so go forward, which stores nothing.
#
# ## Summary
#
# `jax.grad` turns a function into its gradient. It is made of `vjp`, and combining it with `jvp` gives second
# derivatives. JAX differentiates Python's control flow as it is; to compile it, write it as `lax.while_loop` and
# `lax.cond`.
