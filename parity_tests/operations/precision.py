"""Operations in which one library's own result is off by more than roundings; `precision_test.py` shows it.

`check` does not accept them, and should not. They are counted apart.
"""

_POLYGAMMA = "JAX's zeta, of which polygamma is made, is wrong below -7"
_EXPM1 = "JAX's gradient below 0 is expm1(x) + 1, which cancels; torch takes exp(x)"
_LGAMMA = "JAX's gammaln loses digits in float32 near its zeros at 1 and 2"

INEXACT: dict[str, str] = {
    "atanh": "JAX's log1p, of which it is made",
    "digamma": "torch's trigamma in float64 has 10 digits; JAX's is wrong below -7",
    "erfc": "JAX's loses digits in float32 in the tail",
    "erfinv": "JAX's loses digits in float32 near 1",
    "i0": "JAX's gradient loses digits in float32 near 0",
    "lgamma": _LGAMMA,
    "linalg_lstsq": "JAX's gradient goes through the SVD, which divides by differences of the singular values",
    "log1p": "JAX's in float64 loses 2 of 16 digits near -0.4",
    "logcumsumexp": "JAX's gradient errs by up to 9 roundings of what is summed",
    "matrix_exp": "JAX solves a system of equations for it; torch only multiplies, and often errs far less",
    "nn.CELU": _EXPM1,
    "nn.ELU": _EXPM1,
    "nn.SELU": _EXPM1,
    "nn_functional_binary_cross_entropy": "the formula's gradient is a difference of quotients, torch's one quotient",
    "nn_functional_celu": _EXPM1,
    "nn_functional_elu": _EXPM1,
    "nn_functional_selu": _EXPM1,
    "special_log_ndtr": "JAX's loses digits in float32 in the tails",
    **{f"mvlgamma_mvlgamma_p_{p}": _LGAMMA for p in (1, 3, 5)},
    **{f"polygamma_polygamma_n_{n}": _POLYGAMMA for n in range(5)},
    "special_polygamma_special_polygamma_n_0": _POLYGAMMA,
}
"""What is off, by operation."""
